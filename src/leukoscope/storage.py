"""Files that appear whole or not at all, folders that one run at a time writes, and arrays written bit by bit."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from leukoscope.errors import InputError


def write_whole(file: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file beside another, then rename it to that one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"unfinished-{file.name}")
    try:
        write(unfinished)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


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
        held = FileLock(folder.with_name(f".{folder.name}.lock"), blocking=wait).acquire()
    except Timeout as error:
        raise InputError(
            f"Another run is at work in {folder}, and two would spoil each other's files. Let it end or stop it; then "
            f"the same command goes on from what it did."
        ) from error
    with held:
        yield


def write_json(file: Path, facts: dict[str, Any]) -> None:
    """Write facts for people to read, whole or not at all."""
    write_whole(file, lambda path: path.write_text(json.dumps(facts, indent=2)))


def read_json(file: Path) -> dict[str, Any]:
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
