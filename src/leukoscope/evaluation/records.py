"""What is kept of the evaluation of one training, so that those of several folds can be pooled."""

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
# Whether stain colour alone, learned from the same training images, names the class of a test image.
RIGHT_BY_COLOUR = "right_by_colour"


@dataclass(frozen=True, eq=False)
class EvaluationRecord:
    """The evaluation of one training on its test images.

    Attributes:
        facts: ``model``, its fingerprint; ``key``, that of its training; ``fold``, which of how many, or ``None``;
            ``splitting``, its options; ``splits`` and ``data``, fingerprints; ``accepted``, how many images there are
            in all; ``seed``; ``class_names``.
        metrics: Figures of all splits, ``<split>_<metric>``.
        predictions: ``image_id, label, group, copies`` (the group of duplicates) and ``predicted``, and one probability
            column a class, one row a test image; ``right_by_colour`` where that was judged on the same splits.
        place: The training's folder within the model's, where it was read from there.
        written: When, in seconds, where it was read.
    """

    facts: dict[str, Any]
    metrics: dict[str, float | None]
    predictions: pd.DataFrame
    place: str = ""
    written: float = 0.0

    @property
    def fold(self) -> tuple[int, int] | None:
        """Which fold of how many tests; ``None`` where the split is no fold."""
        return tuple(self.facts["fold"]) if self.facts["fold"] else None

    def save(self, folder: Path) -> None:
        """Write the record into a folder that is there."""
        self.predictions.to_parquet(folder / _PREDICTIONS, index=False, write_page_checksum=True)
        (folder / _METRICS).write_text(json.dumps(self.metrics, indent=2))
        content = fingerprint_table(self.predictions[["image_id", "label", "group", "predicted"]])
        (folder / FACTS).write_text(json.dumps(self.facts | {"predictions": content}, indent=2))

    @classmethod
    def load(cls, folder: Path, place: str = "") -> "EvaluationRecord":
        """Read what ``save`` wrote.

        Args:
            folder: Where it is.
            place: What to call it.

        Raises:
            OSError: A file is missing or out of reach.
            ValueError: A file is damaged, or is not of the same record as the others.
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
