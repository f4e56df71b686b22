"""A unit's own data folder: data that it only reads and lasting results are linked, everything else is separate."""

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
# Folders that units read, and caches that all units may add to.
LINKED = ("02_intermediate", "04_feature")
# A file that units read, and one to which each unit adds a line.
LINKED_FILES = ("05_model_input/generated_images.npz", "08_reporting/evaluations.jsonl")


class Workspace:
    """A folder that replaces the data folder while a unit runs, locked so that no other process runs the same unit.

    Args:
        data: The folder of the data.
        unit: The unit.
        kept: Lasting folders of the unit, by their paths within the workspace.
    """

    def __init__(self, data: Path, unit: Unit, kept: Mapping[str, Path] | None = None) -> None:
        self._data = Path(data).absolute()
        self._unit = unit
        self._kept = dict(kept or {})
        self.folder = self._data / _FOLDER / unit.name
        self._lock, self._starts = (self.folder.with_name(f"{unit.name}.{what}") for what in ("lock", "starts"))

    @property
    def home(self) -> Path:
        """The folder of models, here with a folder for the unit's model only."""
        return self.folder / MODELS

    @contextmanager
    def open(self, is_to_stop: Callable[[], int | bool]) -> Iterator[int]:
        """Make the folder as soon as no other process runs the unit, and remove it afterwards.

        Args:
            is_to_stop: Tells whether the unit is no longer needed.

        Yields:
            The open lock file; processes that inherit it keep the lock.

        Raises:
            StoppedError: The unit is no longer needed.
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
        """Record the unit's start while it runs, in case it kills its machine.

        If the unit is stopped, this start does not count, since it has killed no worker; earlier starts still do.

        Args:
            study: Name under which the start is recorded; ``None``: no record.
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
        """Record a start of the unit."""
        with self._starts.open("a") as file:
            file.write(f"{study}\n")

    def count_starts(self, study: str) -> int:
        """Count how often the unit was started in this study without ending in any way."""
        return self._starts.read_text().split().count(study) if self._starts.is_file() else 0

    def forget_starts(self) -> None:
        """Forget all starts, since the unit has ended."""
        self._starts.unlink(missing_ok=True)

    @contextmanager
    def _locking(self, is_to_stop: Callable[[], int | bool]) -> Iterator[IO[str]]:
        """Take the lock, and remove its file afterwards; processes that waited for that file then take a new one."""
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
            InputError: The file system does not support links.
        """
        shutil.rmtree(self.folder, ignore_errors=True)  # left by a killed process
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
    """Check whether an open file is still the one at its path, opening the path so that a file server is asked anew."""
    try:
        with path.open() as there:
            return os.path.sameopenfile(there.fileno(), lock.fileno())
    except FileNotFoundError:
        return False


def _try_lock(lock: IO[str]) -> bool:
    """Try to take a lock that processes inherit with its file, and that ends with the last of them."""
    if os.name == "nt":
        return True
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
