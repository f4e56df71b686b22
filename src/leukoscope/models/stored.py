"""Saved classifiers: a network is one file, any other kind a folder of plain files."""

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
    """Results computed for fields before, for classifiers that would otherwise compute them again.

    Attributes:
        measurements: Measurements of their nuclei.
        cells: Positions of their cells.
    """

    measurements: "MeasurementStore | None" = None
    cells: "ContentCache | None" = None


NOTHING = Known()


def find_classifier(home: Path) -> Path:
    """Return the file that identifies a classifier; it need not exist.

    Args:
        home: The folder that holds the classifier.
    """
    facts = home / FOLDER / FACTS
    return facts if facts.is_file() else home / NETWORK


def write_classifier(classifier: Classifier, home: Path) -> None:
    """Write a classifier into a folder that has none.

    Args:
        classifier: A classifier of any kind.
        home: An existing folder.
    """
    place = home / classifier.place
    if classifier.place == FOLDER:
        place.mkdir()
    classifier.save(place)


def load_classifier(home: Path, known: Known = NOTHING, lazily: bool = False) -> Classifier:
    """Read a classifier of any kind, without running code from its files.

    Args:
        home: The folder that holds the classifier.
        known: Results computed for fields before, for kinds that measure them or look for cells.
        lazily: Whether to defer loading a network, and Keras, until something is needed that only the network can
            provide.

    Raises:
        FileNotFoundError: There is no classifier.
        InputError: A file is damaged, or holds forbidden content.
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
    """List the detectors of the cells that a classifier and its members read, by the names in ``cells.detector``."""
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
