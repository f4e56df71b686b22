"""The ledger of finished units: a mark next to each training, so that no unit is trained twice."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_files
from leukoscope.core.storage import read_json, write_json
from leukoscope.evaluation.records import FACTS, FILES, EvaluationRecord
from leukoscope.study.nested import Choice
from leukoscope.study.plan import Unit
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.pointer import read_pointer

_MARK = "unit.json"
_EVALUATION = "evaluation"


class Mark(NamedTuple):
    """Facts about a finished unit.

    Attributes:
        place: The training's folder, relative to the model's.
        seconds: Duration of training and evaluation.
        chosen: The hyper-parameters chosen by a search within the unit; ``None`` without a search.
    """

    place: str
    seconds: float
    chosen: Mapping[str, Any] | None = None


class Ledger:
    """Finds finished units among the trainings of all models, and marks newly finished ones.

    Args:
        home: The folder that has a folder for each model.
        logs: The folder for the output of units.
    """

    def __init__(self, home: Path, logs: Path) -> None:
        self.home = Path(home)
        self.logs = Path(logs)

    def find(self, unit: Unit) -> Mark | None:
        """Find the training of a unit, if it is finished and evaluated."""
        for file in sorted((self.home / unit.entry / unit.split / "runs").glob(f"*/{_MARK}")):
            mark = _read_mark(file)
            same = mark.get("unit") == unit.identity and self._is_whole(file.parent)
            if same and mark.get("evaluation") == _hash_evaluation(file.parent):
                return Mark(self._place(unit, file.parent), float(mark.get("seconds", 0.0)), mark.get("chosen"))
        return None

    @property
    def data(self) -> Path:
        """The folder of all data."""
        return self.home.parent

    def mark(self, unit: Unit, seconds: float, home: Path | None = None, choice: Choice | None = None) -> Mark:
        """Mark the current training as a unit that has just been trained and evaluated.

        Args:
            unit: The unit.
            seconds: Duration of the unit.
            home: The folder of all models that the unit used, such as its workspace's; by default the ledger's.
            choice: The choice of a search within the unit.

        Raises:
            InputError: The current training is another one or was not evaluated, or the search saw other splits.
        """
        place = Path(home or self.home) / unit.entry
        current = read_pointer(place)
        folder = None if current is None else self.home / unit.entry / current.relative_to(place)
        if folder is None or not self._is_whole(folder) or not _is_of(unit, TrainingJournal(folder).key):
            raise InputError(
                f"Nothing whole was left of {unit}: another run may have trained {unit.entry} meanwhile. Let it end; "
                f"then the same command goes on."
            )
        known: dict[str, Any] = {"unit": unit.identity, "evaluation": _hash_evaluation(folder)}
        if choice is not None:
            choice.require_same(unit, TrainingJournal(folder).key)
            known["chosen"] = dict(choice.values)
        write_json(folder / _MARK, known | {"seconds": seconds, "finished": time.time()})
        return Mark(self._place(unit, folder), seconds, None if choice is None else choice.values)

    def load_record(self, unit: Unit, place: str) -> EvaluationRecord:
        """Read the evaluation of a finished unit.

        Raises:
            InputError: The evaluation is damaged.
        """
        folder = self.home / unit.entry / place / _EVALUATION
        try:
            return EvaluationRecord.load(folder, place)
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"The evaluation in {folder} is not whole: {what}. Remove that folder; the same command evaluates the "
                f"training again, and trains nothing twice."
            ) from error

    def load_history(self, unit: Unit, place: str) -> pd.DataFrame:
        """Read the epochs of a finished unit; empty if its kind of model has none."""
        return TrainingJournal(self.home / unit.entry / place).history()

    def name_log(self, unit: Unit) -> Path:
        """Return the log file of a unit."""
        return self.logs / f"{unit.name}.log"

    def name_search(self, unit: Unit) -> Path:
        """Return the folder of the lasting results of the search within a unit."""
        return self.logs / unit.name

    def _place(self, unit: Unit, folder: Path) -> str:
        return folder.relative_to(self.home / unit.entry).as_posix()

    @staticmethod
    def _is_whole(folder: Path) -> bool:
        return TrainingJournal(folder).finished and (folder / _EVALUATION / FACTS).is_file()


def _is_of(unit: Unit, key: Mapping[str, Any]) -> bool:
    """Check whether a training has a unit's split and seed, which the keys of all kinds of trainings contain."""
    return (key.get("split"), key.get("seed")) == (unit.split, unit.seed)


def _hash_evaluation(training: Path) -> str | None:
    """Hash the files of a training's evaluation, which another command may replace; ``None`` if incomplete."""
    try:
        return fingerprint_files([training / _EVALUATION / name for name in FILES])
    except OSError:
        return None


def _read_mark(file: Path) -> dict[str, Any]:
    """Read a mark; return an empty one if it is damaged, so that the unit is evaluated anew."""
    try:
        mark = read_json(file)
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}
