"""Files that appear whole or not at all, folders that one run at a time writes, and arrays written bit by bit."""

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
# Whoever writes on another machine, whose processes cannot be asked for, is taken for dead after this.
_SECONDS_ELSEWHERE = 24 * 3600
_CLOCK_STEP = 60


def write_whole(file: Where, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file beside another, then rename it to that one.

    What goes to an object store is filled on this machine, and is there with the last byte.

    The unfinished file has a name of its own, so that runs which write the same file at once do not meet; the last to
    finish wins. What killed runs left of the same file is removed first.
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
    """Name the writer: machine, process, and a number for each file. Writers may go by the suffix, which stays."""
    return f"{UNFINISHED}{file.stem}.{_hash_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{file.suffix}"


def _hash_machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_leftovers(file: Path) -> None:
    """Remove the unfinished files of processes that are no more."""
    stem = re.escape(file.stem)
    suffix = re.escape(file.suffix)
    pattern = re.compile(rf"{UNFINISHED}{stem}(\.([0-9a-f]{{8}})-(\d+)-[0-9a-f]{{8}})?{suffix}")
    for path in _list_unfinished(file.parent):
        named = pattern.fullmatch(path.name)
        if named and not (named[1] and _may_be_written(path, named[2], int(named[3]))):
            path.unlink(missing_ok=True)


# Folders of so many files are looked through once in a while only: else so many parts took the square of their number.
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
        # A process that began after the last byte was written, clocks allowed for, has the number of a dead one.
        return writer.status() != psutil.STATUS_ZOMBIE and writer.create_time() < written + _CLOCK_STEP
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def describe_fault(error: BaseException | None) -> str | None:
    """Put a fault of disk, network or memory into words; ``None`` for any other error, such as of damaged content."""
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        return "not enough memory"
    # What bz2 and Pillow raise of damaged content is an OSError too, without the system's number.
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or str(error)
    return None


def write_folder_whole(folder: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a folder beside another, then put it in that one's place.

    A run that is killed in between leaves the one or the other, under its own name or under one that the next run
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
    """Let no other run write into a folder meanwhile; a process that ends lets go of it, however it ends.

    Args:
        folder: The folder, or the file.
        wait: Whether to wait for another run, which is done in a moment.

    Raises:
        InputError: Another run is at work there.
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
    """Write facts for people to read, whole or not at all."""
    write_whole(file, lambda path: path.write_text(json.dumps(facts, indent=2)))


def read_json(file: Where) -> dict[str, Any]:
    """Read facts that were written; none where there is no file."""
    return json.loads(file.read_text()) if file.is_file() else {}


def as_read_from_json(facts: dict[str, Any]) -> dict[str, Any]:
    """Give facts as they will be read back, with lists for tuples, so that both can be compared."""
    return json.loads(json.dumps(facts))


def defuse_formula(text: str | None) -> str | None:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text


def as_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of a table for JSON, which has no NaN: what is missing is ``None``."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def write_array_header(file: IO[bytes], dtype: str, shape: tuple[int, ...]) -> None:
    """Write the header of a ``.npy`` file, after which the array's bytes are to follow.

    NumPy pads it for a first axis of any length, so that it can be written again over itself.

    Args:
        file: Open for writing, where the header belongs.
        dtype: Like ``uint8``.
        shape: Of the whole array, in C order.
    """
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
