"""Distributed reading in parts: any free worker reads a part, and stores it where all workers see it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.objects import Where
from leukoscope.core.parting import Outcome, Part, Place, follow, say_parts
from leukoscope.images.naming import tabulate_some
from leukoscope.images.packing_plan import PackingPlan, each_file, refuse_all
from leukoscope.images.shared import TRIES, list_files, open_once, read_list, remove_lists, share_plan
from leukoscope.reader.base import Reader
from leukoscope.reader.reading import ReadingPlan, find_done, keep_rows, name_part

_BACKEND = "KERAS_BACKEND"


class ReaderAddress(Protocol):
    """Where workers find the reader. It is sent with each part, and must be hashable."""

    def __hash__(self) -> int: ...
    def load(self) -> Reader:
        """Load the reader; each worker keeps it in memory."""
        ...


@dataclass(frozen=True)
class ReaderFiles:
    """The folders of a reader and its engine, which all workers can see.

    Attributes:
        reader: Folder of the reader.
        engine: Folder of its engine.
        fingerprint: Fingerprint of the expected reader.
        engine_title: Name of the engine that must predict.
        backend: Keras' backend, if the environment sets one.
    """

    reader: Path
    engine: Path
    fingerprint: str
    engine_title: str
    backend: str | None

    @classmethod
    def find(cls, reader: Reader, folder: Path, engine: Path) -> "ReaderFiles":
        """Return the locations of a reader's files."""
        where = folder.absolute(), engine.absolute()
        return cls(*where, reader.fingerprint, reader.engine_title, os.environ.get(_BACKEND))

    def load(self) -> Reader:
        """Load the reader.

        Raises:
            InputError: It is missing or another reader, or would predict differently here than where the run began.
        """
        from leukoscope.reader.engine import load_engine
        from leukoscope.reader.second_reader import SecondReader

        if self.backend:
            os.environ.setdefault(_BACKEND, self.backend)
        if os.environ.get(_BACKEND) != self.backend:
            raise InputError(
                f"{_BACKEND} is {os.environ[_BACKEND]} here and {self.backend or 'not set'} where the run began: start "
                f"all workers with the same."
            )
        if not self.reader.is_dir():
            raise InputError(
                f"There is no {self.reader} here: `data` must be one folder that all workers see at the same path."
            )
        loaded: Reader = SecondReader.load(self.reader, lazily=True)
        if loaded.fingerprint != self.fingerprint:
            raise InputError(
                f"{self.reader} holds the reader {loaded.fingerprint}, and the run began with {self.fingerprint}: "
                f"another run has replaced it meanwhile. Run this command again."
            )
        if self.engine_title == "ONNX Runtime":
            loaded = loaded.answered_by(load_engine(self.engine))
        if loaded.engine_title != self.engine_title:
            raise InputError(
                f"{loaded.engine_title} would answer here, and {self.engine_title} where the run began: install the "
                f"same version of ONNX Runtime, or set reader.engine to keras."
            )
        return loaded


class _Task(NamedTuple):
    """The files of a part that have no row yet.

    Attributes:
        reader: Where to find the reader.
        packing: How files become images, without its list of files.
        files: The file that lists them.
        path: Where their rows are stored.
    """

    reader: ReaderAddress
    packing: PackingPlan
    files: Path
    path: Where


def spread_reading(
    opening: Callable[[], AbstractContextManager[Place]],
    reader: ReaderAddress,
    plan: ReadingPlan,
    folder: Where,
    missing: Sequence[Sequence[int]],
    notes: Path,
) -> Iterator[pd.DataFrame]:
    """Distribute reading over workers; with the first two arguments bound, it is a ``Spread`` for ``carry_out``.

    Args:
        opening: Opens the place where the workers run.
        reader: Where they find the reader.
        plan: What to read.
        folder: Folder of the parts.
        missing: The positions of missing files, for each part.
        notes: A folder that all workers see, for notes on parts until they are read.

    Yields:
        The rows of files that could not be read for now, of each part that has such. One that has ended several workers
        is one of such files.

    Raises:
        InputError: A worker cannot read at all, or there is no worker.
    """
    if not missing:
        return
    notes.mkdir(parents=True, exist_ok=True)
    remove_lists(notes)
    count = sum(map(len, missing))
    every = plan.packing.files
    packing = share_plan(plan.packing)
    parts = (_describe_part(plan, packing, reader, folder, notes, positions) for positions in missing)
    with opening() as place:
        say_parts("read", len(plan.parts), len(missing), place)
        outcomes = place.carry_out(read_files, parts)
        for outcome in follow(outcomes, place, "Reading", len(every), len(every) - count):
            rows = outcome.result if outcome.lost is None else _give_up(plan, outcome)
            if rows is not None:
                yield rows
            outcome.part.task.files.unlink(missing_ok=True)


def _describe_part(
    plan: ReadingPlan,
    packing: PackingPlan,
    reader: ReaderAddress,
    folder: Where,
    notes: Path,
    positions: Sequence[int],
) -> Part:
    path = name_part(plan, folder, positions[0]).absolute()
    files = tabulate_some(plan.packing.files, positions)
    # Another run may read other files of the same part at the same time into another folder.
    name = f"{path.stem}-{fingerprint_facts([str(path), len(files), positions[-1]])}"
    noted = notes.absolute() / path.name
    task = _Task(reader, packing, list_files(noted, files), path)
    return Part(name, task, len(files), noted.with_suffix(TRIES))


def read_files(task: _Task) -> pd.DataFrame | None:
    """Read a part's files on a worker, and keep their rows; gives those of files that could not be read for now.

    ``None`` says that there are none: an empty table, with as many columns, is some kilobytes to send and to read.
    """
    files = read_list(task.files)
    path = task.path
    with suppress(OSError, ValueError, KeyError):
        # A worker that was presumed dead may have stored the whole part.
        done = find_done(path, [named.image_id for named in files]) if path.is_file() else ()
        files = [named for named in files if named.image_id not in done]
    if not files:
        return None
    plan = ReadingPlan(_load_once(task.reader), open_once(task.packing))
    records, images = zip(*each_file(plan.packing.pack(files)), strict=True)
    pixels = [image for image in images if image is not None]
    unread = keep_rows(path, plan.read_part(records, np.stack(pixels) if pixels else np.empty(0, np.uint8)))
    return unread if len(unread) else None


@lru_cache(maxsize=1)
def _load_once(reader: ReaderAddress) -> Reader:
    return reader.load()


def _give_up(plan: ReadingPlan, outcome: Outcome) -> pd.DataFrame:
    task: _Task = outcome.part.task
    records = refuse_all(read_list(task.files), str(outcome.lost))
    return keep_rows(task.path, plan.read_part(records, np.empty(0, np.uint8)))
