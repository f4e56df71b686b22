"""A unit's own place among the data: what it only reads is linked, what lasts is linked, and all else is its own."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from leukoscope.core.errors import InputError
from leukoscope.study.commands import StoppedError
from leukoscope.study.plan import Unit

logger = logging.getLogger(__name__)

_FOLDER = ".units"
_SECONDS_BETWEEN_TRIES = 0.5
MODELS = "06_models"
# Folders that units read, and caches that all may add to.
LINKED = ("02_intermediate", "04_feature")
# A file that units read, and one to which each adds its line.
LINKED_FILES = ("05_model_input/generated_images.npz", "08_reporting/evaluations.jsonl")


class Workspace:
    """A folder that takes the place of the data while a unit is made; nobody else makes the same unit meanwhile.

    Args:
        data: The folder of the data.
        unit: Which.
        kept: Folders of its own that last, by their places within.
    """

    def __init__(self, data: Path, unit: Unit, kept: Mapping[str, Path] | None = None) -> None:
        self._data = Path(data).absolute()
        self._unit = unit
        self._kept = dict(kept or {})
        self.folder = self._data / _FOLDER / unit.name
        self._lock, self._starts = (self.folder.with_name(f"{unit.name}.{what}") for what in ("lock", "starts"))

    @property
    def home(self) -> Path:
        """The folder that has a folder for each model: here for the unit's alone."""
        return self.folder / MODELS

    @contextmanager
    def open(self, is_to_stop: Callable[[], int | bool]) -> Iterator[int]:
        """Make the folder, once nobody else makes the unit, and remove it afterwards.

        Args:
            is_to_stop: Tells whether nobody waits for the unit any more.

        Yields:
            The open file of the lock: whoever inherits it keeps the lock.

        Raises:
            StoppedError: Nobody does.
            InputError: The folder cannot be made.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._locking(is_to_stop) as lock:
            try:
                self._make()
                yield lock.fileno()
            finally:
                shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def counting(self, study: str | None) -> Iterator[None]:
        """Keep that the unit begins for as long as it is made, in case its machine dies of it.

        One that was stopped counts as not begun: it has ended no worker, and those before may have died of it.

        Args:
            study: Under which name; ``None``: it does not begin.
        """
        before = self._starts.read_bytes() if self._starts.is_file() else b""
        if study is not None:
            self.note_start(study)
        try:
            yield
        except StoppedError:
            self._starts.write_bytes(before) if before else self.forget_starts()
            raise
        self.forget_starts()

    def note_start(self, study: str) -> None:
        """Keep that the unit begins."""
        with self._starts.open("a") as file:
            file.write(f"{study}\n")

    def count_starts(self, study: str) -> int:
        """Count how often the unit has begun in this study, and has not come to any end."""
        return self._starts.read_text().split().count(study) if self._starts.is_file() else 0

    def forget_starts(self) -> None:
        """Forget all beginnings: the unit came to an end."""
        self._starts.unlink(missing_ok=True)

    @contextmanager
    def _locking(self, is_to_stop: Callable[[], int | bool]) -> Iterator[IO[str]]:
        """Take the lock, and remove its file afterwards: whoever waited for that file then takes the next one."""
        while True:
            with self._lock.open("w") as lock:
                self._acquire(lock, is_to_stop)
                if not _is_at(lock, self._lock):
                    continue
                try:
                    yield lock
                finally:
                    with suppress(OSError):
                        self._lock.unlink()
                return

    def _acquire(self, lock: IO[str], is_to_stop: Callable[[], int | bool]) -> None:
        told = False
        while not _try_lock(lock):
            if is_to_stop():
                raise StoppedError
            if not told:
                logger.warning("%s is being made by another run: this one waits for its end", self._unit)
                told = True
            time.sleep(_SECONDS_BETWEEN_TRIES)

    def _make(self) -> None:
        """Make the folder with its links.

        Raises:
            InputError: The file system has no links.
        """
        shutil.rmtree(self.folder, ignore_errors=True)  # what a killed process left
        split = f"{MODELS}/{self._unit.entry}/{self._unit.split}"
        folders = {name: self._data / name for name in (*LINKED, split)} | self._kept
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        files = [name for name in LINKED_FILES if name.endswith(".jsonl") or (self._data / name).is_file()]
        try:
            for name, place in (folders | {name: self._data / name for name in files}).items():
                link = self.folder / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(place.absolute())
        except (OSError, NotImplementedError) as error:
            raise InputError(
                f"{self.folder} cannot have links to {self._data}: {error}. A study needs a file system with symbolic "
                f"links, and leave to make them there."
            ) from error


def _is_at(lock: IO[str], path: Path) -> bool:
    """Tell whether an open file is still that of its path; the path is opened, which asks a file server anew."""
    try:
        with path.open() as there:
            return os.path.sameopenfile(there.fileno(), lock.fileno())
    except FileNotFoundError:
        return False


def _try_lock(lock: IO[str]) -> bool:
    """Take a lock that processes inherit with its file, and that ends with the last of them."""
    if os.name == "nt":
        return True
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
