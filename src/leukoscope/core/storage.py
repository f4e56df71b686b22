"""Files written atomically, folders written by one run at a time, and arrays written piece by piece."""

import hashlib
import json
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np
import pandas as pd
import psutil
from filelock import FileLock, Timeout

from leukoscope.core.errors import InputError
from leukoscope.core.objects import ObjectPath, Where

UNFINISHED = "unfinished-"
# A writer on another machine, whose processes cannot be checked, is considered dead after this time.
_SECONDS_ELSEWHERE = 24 * 3600
_CLOCK_STEP = 60


def write_whole(file: Where, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside the target, then rename it to the target.

    Files for an object store are filled on this machine, and appear there with the last byte.

    The temporary file has a unique name, so that runs which write the same file at once do not collide; the last to
    finish wins. Temporary files that killed runs left of the same file are removed first.
    """
    if isinstance(file, ObjectPath):
        with TemporaryDirectory() as folder:
            made = Path(folder) / file.name
            write(made)
            file.write_bytes(made.read_bytes())
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(file)
    unfinished = file.with_name(_name_unfinished(file))
    try:
        write(unfinished)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _name_unfinished(file: Path) -> str:
    """Return a name with the machine, the process and a unique number; the suffix, which writers may need, is kept."""
    return f"{UNFINISHED}{file.stem}.{_hash_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{file.suffix}"


def _hash_machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_leftovers(file: Path) -> None:
    """Remove the unfinished files of dead processes."""
    stem = re.escape(file.stem)
    suffix = re.escape(file.suffix)
    pattern = re.compile(rf"{UNFINISHED}{stem}(\.([0-9a-f]{{8}})-(\d+)-[0-9a-f]{{8}})?{suffix}")
    for path in _list_unfinished(file.parent):
        named = pattern.fullmatch(path.name)
        if named and not (named[1] and _may_be_written(path, named[2], int(named[3]))):
            path.unlink(missing_ok=True)


# Folders with more files than this are scanned only occasionally; otherwise the time would grow with their square.
_MANY_FILES = 500
_SECONDS_BETWEEN_LOOKS = 60
_looked: dict[Path, float] = {}


def _list_unfinished(folder: Path) -> list[Path]:
    if time.monotonic() - _looked.get(folder, -_SECONDS_BETWEEN_LOOKS) < _SECONDS_BETWEEN_LOOKS:
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    if len(names) > _MANY_FILES:
        _looked[folder] = time.monotonic()
    return [folder / name for name in names if name.startswith(UNFINISHED)]


def _may_be_written(path: Path, machine: str, process: int) -> bool:
    try:
        written = path.stat().st_mtime
    except FileNotFoundError:
        return False
    if machine != _hash_machine():
        return time.time() - written < _SECONDS_ELSEWHERE
    try:
        writer = psutil.Process(process)
        # A process that began after the last byte was written (within clock steps) has reused a dead one's number.
        return writer.status() != psutil.STATUS_ZOMBIE and writer.create_time() < written + _CLOCK_STEP
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def describe_fault(error: BaseException | None) -> str | None:
    """Describe an error of disk, network or memory; ``None`` for other errors, such as damaged content."""
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        return "not enough memory"
    # For damaged content bz2 and Pillow raise an OSError too, but without the system's error number.
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or str(error)
    return None


def write_folder_whole(folder: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a folder beside another, then replace that one.

    A run that is killed in between leaves the old or the new folder, under its own name or under one that the next run
    finds.

    Raises:
        InputError: Another run is writing the folder.
    """
    with hold(folder):
        _write_held_folder(folder, write)


def _write_held_folder(folder: Path, write: Callable[[Path], Any]) -> None:
    old, new = (folder.with_name(f".{folder.name}.{role}") for role in ("old", "new"))
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (old, new):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        write(new)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def hold(folder: Path, wait: bool = False) -> Iterator[None]:
    """Lock a folder against writes by other runs; the lock is released when the process ends, however it ends.

    Args:
        folder: The folder or file.
        wait: Whether to wait for another run that will soon be done.

    Raises:
        InputError: Another run is writing there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder.with_name(f".{folder.name}.lock"), blocking=wait).acquire()
    except Timeout as error:
        raise InputError(
            f"Another run is at work in {folder}, and two would spoil each other's files. Let it end or stop it; then "
            f"the same command goes on from what it did."
        ) from error
    with lock:
        yield


def write_json(file: Where, facts: dict[str, Any]) -> None:
    """Write facts as readable JSON, atomically."""
    write_whole(file, lambda path: path.write_text(json.dumps(facts, indent=2)))


def read_json(file: Where) -> dict[str, Any]:
    """Read facts from a JSON file; empty if there is no file."""
    return json.loads(file.read_text()) if file.is_file() else {}


def as_read_from_json(facts: dict[str, Any]) -> dict[str, Any]:
    """Convert facts to what JSON reads back, with lists for tuples, so that both can be compared."""
    return json.loads(json.dumps(facts))


def defuse_formula(text: str | None) -> str | None:
    """Put an apostrophe before text that a spreadsheet would interpret as a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text


def as_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert the rows of a table to dictionaries for JSON, with ``None`` for NaN."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def write_array_header(file: IO[bytes], dtype: str, shape: tuple[int, ...]) -> None:
    """Write the header of a ``.npy`` file, to be followed by the array's bytes.

    NumPy pads it for a first axis of any length, so that the header can be overwritten in place.

    Args:
        file: A file open for writing, positioned where the header belongs.
        dtype: The data type, like ``uint8``.
        shape: The shape of the whole array, in C order.
    """
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
