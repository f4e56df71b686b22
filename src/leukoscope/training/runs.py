"""The trainings of one model: each has its own folder, and none is moved or deleted by another."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from leukoscope.core.differences import find_differences
from leukoscope.core.errors import InputError
from leukoscope.core.storage import UNFINISHED, as_read_from_json, hold
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.pointer import read_pointer, write_pointer

HOLDOUT = "holdout"
# Entries of the key that do not determine a training: the engine that computes it, and the name of its split.
_BESIDE = ("engine", "split")


def name_split(fold: Sequence[int] | None) -> str:
    """Name a split for the folders of a model: ``holdout``, or like ``fold-1-of-5``.

    Args:
        fold: The number of the test fold and the number of folds; ``None`` without folds.
    """
    return HOLDOUT if fold is None else f"fold-{fold[0]}-of-{fold[1]}"


class Started(NamedTuple):
    """A training that was started or resumed.

    Attributes:
        journal: Journal of the training.
        is_new: Whether there was no such training before.
        before: The folder of the previously active training, if it is another one.
        changes: The entries in which the key differs from that training's, like ``recipe.epochs``.
        adopted: Where an earlier version had kept the training that is resumed.
    """

    journal: TrainingJournal
    is_new: bool
    before: Path | None
    changes: list[str]
    adopted: Path | None


class TrainingRuns:
    """The folder of one model: ``<split>/runs/<run id>/`` holds a training, and ``current`` names the active one.

    Args:
        home: The model's folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = Path(home)

    def start(self, key: dict[str, Any]) -> Started:
        """Activate the training that ``key`` determines, and create a folder for it if there is none.

        A finished training counts whatever computed it (the key's ``engine``); an unfinished one resumes only with the
        same engine. Trainings that an earlier version kept side by side as ``journal`` and ``journal-*`` are moved to
        their new folders when their key occurs again.

        Raises:
            InputError: The key or the history of that training is damaged.
        """
        key = as_read_from_json(key)
        before = self._find_before()
        with hold(self._place(key), wait=True):  # the folder, which workspaces of a study's units share
            folder = self._find(key)
            adopted = folder if folder in self._list_earlier() else None
            is_new = folder is None
            changes = [] if before is None or before == folder else self._list_changes(before, key)
            if folder is None:
                folder = self._make(key)
            elif adopted:
                folder = self._adopt(adopted, key)
        write_pointer(self.home, folder)  # last: a run that dies before leaves a complete training to be found again
        return Started(
            TrainingJournal(folder, home=self.home),
            is_new,
            None if before in (folder, adopted) else before,
            changes,
            adopted,
        )

    def find_current(self) -> TrainingJournal | None:
        """Open the active training; ``None`` if none was started.

        Raises:
            InputError: The pointer is damaged.
        """
        folder = read_pointer(self.home)
        return TrainingJournal(folder, home=self.home) if folder and (folder / "key.json").exists() else None

    def find_model(self, fingerprint: str) -> TrainingJournal | None:
        """Find the training that produced a model, preferring the active one.

        Args:
            fingerprint: Fingerprint of the model.
        """
        journals = [TrainingJournal(folder, home=self.home) for folder in sorted(self.home.glob("*/runs/*"))]
        with suppress(InputError):
            current = read_pointer(self.home)
            journals.sort(key=lambda journal: journal.folder != current)
        return next((journal for journal in journals if journal.model == fingerprint), None)

    def _find(self, key: dict[str, Any]) -> Path | None:
        """Find the training of a key, preferring one of the same engine over a finished one of another."""
        fitting = []
        for folder in self._list_numbered(key):
            if TrainingJournal(folder).key:
                fitting.append(folder)
        for folder in self._list_earlier():
            with suppress(InputError):  # damaged ones stay where they are
                if TrainingJournal(folder).key:
                    fitting.append(folder)
        wanted = [folder for folder in fitting if _counts(TrainingJournal(folder), key)]
        return min(
            wanted, key=lambda folder: TrainingJournal(folder).key.get("engine") != key.get("engine"), default=None
        )

    def _find_before(self) -> Path | None:
        """Return the active training's folder, which is ``journal`` for earlier versions, if it is readable."""
        with suppress(InputError):
            folder = read_pointer(self.home) or self.home / "journal"
            return folder if TrainingJournal(folder).key else None
        return None

    @staticmethod
    def _list_changes(before: Path, key: dict[str, Any]) -> list[str]:
        journal = TrainingJournal(before)
        past = journal.key
        beside = {"engine"} if journal.finished else set()
        beside |= set() if "split" in past else {"split"}
        return [name for name in find_differences(past, key) if name.split(".")[0] not in beside]

    def _list_numbered(self, key: dict[str, Any]) -> list[Path]:
        """List the folders of a run id: ``<id>``, ``<id>-2`` and so on."""
        place = self._place(key)
        name = identify_run(key)
        numbers = re.compile(rf"{name}(-\d+)?")
        return sorted(folder for folder in place.glob(f"{name}*") if numbers.fullmatch(folder.name) and folder.is_dir())

    def _list_earlier(self) -> list[Path]:
        """List the folders in which an earlier version kept trainings."""
        return [folder for folder in sorted(self.home.glob("journal*")) if re.fullmatch(r"journal(-.+)?", folder.name)]

    def _make(self, key: dict[str, Any]) -> Path:
        folder = next(folder for folder in self._name_folders(key) if _is_unused(folder))
        TrainingJournal(folder).start(key)
        return folder

    def _adopt(self, earlier: Path, key: dict[str, Any]) -> Path:
        folder = next(folder for folder in self._name_folders(key) if not folder.exists())
        folder.parent.mkdir(parents=True, exist_ok=True)
        return earlier.rename(folder)

    def _name_folders(self, key: dict[str, Any]) -> Iterator[Path]:
        name = identify_run(key)
        return (self._place(key) / (name if number == 1 else f"{name}-{number}") for number in count(1))

    def _place(self, key: dict[str, Any]) -> Path:
        return self.home / str(key.get("split", HOLDOUT)) / "runs"


def identify_run(key: dict[str, Any]) -> str:
    """Hash everything that determines a training: the first 12 hexadecimal digits of a SHA-256.

    Args:
        key: Key of the training, as read from JSON.
    """
    return hashlib.sha256(json.dumps(_determine(key), sort_keys=True).encode()).hexdigest()[:12]


def _determine(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name not in _BESIDE}


def _counts(journal: TrainingJournal, key: dict[str, Any]) -> bool:
    """Check whether a training is the one that a key determines."""
    past = journal.key
    return _determine(past) == _determine(key) and (journal.finished or past.get("engine") == key.get("engine"))


def _is_unused(folder: Path) -> bool:
    """Check whether a folder holds nothing: it does not exist, or its run was killed right after creating it."""
    return not folder.exists() or all(path.name.startswith(UNFINISHED) for path in folder.iterdir())
