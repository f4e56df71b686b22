"""Where classifiers lie: a network is one file, any other kind a folder of plain files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from leukoscope.core.errors import DamageError, telling_damage
from leukoscope.models.base import FACTS, FOLDER, NETWORK, Classifier
from leukoscope.models.deferred import open_network

if TYPE_CHECKING:
    from leukoscope.core.cache import ContentCache
    from leukoscope.features.measuring import MeasurementStore


class Known(NamedTuple):
    """What was computed of fields before, for classifiers that would compute it again.

    Attributes:
        measurements: Of their nuclei.
        cells: Where their cells are.
    """

    measurements: "MeasurementStore | None" = None
    cells: "ContentCache | None" = None


NOTHING = Known()


def find_classifier(home: Path) -> Path:
    """Find the file that tells one classifier from any other; there need not be one.

    Args:
        home: The folder in which it lies.
    """
    facts = home / FOLDER / FACTS
    return facts if facts.is_file() else home / NETWORK


def write_classifier(classifier: Classifier, home: Path) -> None:
    """Write a classifier into a folder that has none.

    Args:
        classifier: Of any kind.
        home: The folder, which is there.
    """
    place = home / classifier.place
    if classifier.place == FOLDER:
        place.mkdir()
    classifier.save(place)


def load_classifier(home: Path, known: Known = NOTHING, lazily: bool = False) -> Classifier:
    """Read a classifier of any kind, without running code from its files.

    Args:
        home: The folder in which it lies.
        known: What was computed of fields before, for kinds that measure them or look for cells.
        lazily: Whether to leave a network, and Keras, in its file until something is asked of it that nothing else
            tells.

    Raises:
        FileNotFoundError: There is none.
        InputError: A file is damaged, or holds what it must not.
    """
    file = find_classifier(home)
    if file.name != FACTS and lazily:
        return open_network(file)
    if file.name != FACTS:
        from leukoscope.models.network import Classifier as Network

        return Network.load(file)
    with telling_damage(file):
        kind = json.loads(file.read_text())["kind"]
    load = _list_loaders(lazily).get(kind)
    if load is None:
        raise DamageError(file, f"there is no kind of classifier '{kind}'")
    return load(file.parent, known)


def list_detectors(classifier: Classifier) -> set[str]:
    """List what finds the cells that a classifier and its members read, by the names of ``cells.detector``."""
    member = getattr(classifier, "member", None)
    members = [*getattr(classifier, "members", {}).values(), *([member] if member else [])]
    cutting = getattr(classifier, "cutting", None)
    return ({cutting.detector} if cutting else set()).union(*map(list_detectors, members))


def _list_loaders(lazily: bool) -> dict[str, Callable[[Path, Known], Classifier]]:
    from leukoscope.models.cell_classifier import CellClassifier
    from leukoscope.models.crafted import CraftedClassifier
    from leukoscope.models.ensemble import EnsembleClassifier
    from leukoscope.models.viewed import ViewedClassifier

    return {
        "cells": lambda path, known: CellClassifier.load(path, known.cells, lazily),
        "crafted": lambda path, known: CraftedClassifier.load(path, known.measurements, known.cells),
        "ensemble": EnsembleClassifier.load,
        "views": ViewedClassifier.load,
    }
