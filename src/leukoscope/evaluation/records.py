"""The record of one training's evaluation, kept so that evaluations of several folds can be pooled."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.core.old_names import rename_entries
from leukoscope.evaluation.predictions import probability_columns

_COLUMNS = ("image_id", "label", "group", "copies", "predicted")
_FACTS = ("model", "key", "fold", "splitting", "data", "accepted", "seed", "class_names")
FACTS = "facts.json"
_METRICS = "metrics.json"
_PREDICTIONS = "predictions.parquet"
FILES = (FACTS, _METRICS, _PREDICTIONS)
# Whether stain colour alone, learned from the same training images, predicts a test image's class.
RIGHT_BY_COLOUR = "right_by_colour"


@dataclass(frozen=True, eq=False)
class EvaluationRecord:
    """The evaluation of one training on its test images.

    Attributes:
        facts: ``model``, its fingerprint; ``key``, the key of its training; ``fold``, its number and the number
            of folds, or ``None``; ``splitting``, its options; ``splits`` and ``data``, fingerprints; ``accepted``, the
            number of images in all; ``seed``; ``class_names``.
        metrics: Metrics of all splits, ``<split>_<metric>``.
        predictions: One row per test image: ``image_id, label, group, copies`` (the group of duplicates),
            ``predicted``, and one probability column per class; ``right_by_colour`` if that was judged on the same
            splits.
        place: The training's folder within the model's, if read from there.
        written: When it was written, in seconds, if read from a file.
    """

    facts: dict[str, Any]
    metrics: dict[str, float | None]
    predictions: pd.DataFrame
    place: str = ""
    written: float = 0.0

    @property
    def fold(self) -> tuple[int, int] | None:
        """The number of the test fold and the number of folds; ``None`` if the split is not a fold."""
        return tuple(self.facts["fold"]) if self.facts["fold"] else None

    def save(self, folder: Path) -> None:
        """Write the record into an existing folder."""
        self.predictions.to_parquet(folder / _PREDICTIONS, index=False, write_page_checksum=True)
        (folder / _METRICS).write_text(json.dumps(self.metrics, indent=2))
        content = fingerprint_table(self.predictions[["image_id", "label", "group", "predicted"]])
        (folder / FACTS).write_text(json.dumps(self.facts | {"predictions": content}, indent=2))

    @classmethod
    def load(cls, folder: Path, place: str = "") -> "EvaluationRecord":
        """Read a record that ``save`` wrote.

        Args:
            folder: The folder to read from.
            place: The record's place, for display.

        Raises:
            OSError: A file is missing or cannot be read.
            ValueError: A file is damaged, or belongs to another record than the other files.
        """
        facts = _read_object(folder / FACTS, _FACTS)
        facts["splitting"] = rename_entries(facts["splitting"], folder / FACTS)
        metrics = _read_object(folder / _METRICS, ("test_accuracy",))
        file = folder / _PREDICTIONS
        with file.open("rb") as content:
            predictions = pd.read_parquet(content, page_checksum_verification=True)
        lacking = {*_COLUMNS, *probability_columns(facts["class_names"])} - set(predictions)
        if lacking:
            raise ValueError(f"{file.name} lacks {', '.join(sorted(lacking))}")
        if fingerprint_table(predictions[["image_id", "label", "group", "predicted"]]) != facts.pop(
            "predictions", None
        ):
            raise ValueError(f"{file.name} and {FACTS} are not of one evaluation")
        return cls(facts, metrics, predictions, place, (folder / FACTS).stat().st_mtime)


def _read_object(file: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    facts = json.loads(file.read_text())
    if not isinstance(facts, dict) or not facts.keys() >= set(needed):
        raise ValueError(f"{file.name} is not an object with {', '.join(needed)}")
    return facts
