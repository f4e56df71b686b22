"""Which columns of parts the monitoring log receives, and how they become rows of the log."""

import posixpath
import uuid
from collections.abc import Iterator, Sequence

import pandas as pd

from leukoscope.evaluation.opinion_facts import tabulate_facts
from leukoscope.reader.base import Reader, Reading
from leukoscope.reader.opinion_log import describe_origin, write_time

# Columns of parts that only the log receives: without them, repeated runs write identical tables.
READ_AT = "read_at"
_MEASURED = ("check_", "distance_")


def list_watched(columns: Sequence[str]) -> list[str]:
    """List the columns of a part that only the log receives."""
    return [name for name in columns if name == READ_AT or name.startswith(_MEASURED)]


def add_watched(table: pd.DataFrame, reading: Reading, rows: pd.Series) -> pd.DataFrame:
    """Add these columns to the table of a part.

    Args:
        table: One row per file.
        reading: Results for the files that could be read.
        rows: Which files could be read, boolean.
    """
    measured = reading.measured.set_axis(table.index[rows]).reindex(table.index)
    return table.join(measured).assign(**{READ_AT: pd.Series(write_time(), table.index[rows], "str")})


class Watched:
    """Creates rows of the log from rows of parts.

    Images that the classifier was trained on are left out: they say nothing about later images. With several folders,
    images of the same folder form a group, as fields of a patient or a smear may; no folder or file is named.

    Args:
        reader: The reader that read them.
        paths: Paths of all images.
    """

    def __init__(self, reader: Reader, paths: Iterator[str]) -> None:
        self._reader = reader
        self._known = set(reader.seen["sha256"])
        folders = {posixpath.dirname(path) for path in paths}
        self._together = {folder: uuid.uuid4().hex for folder in folders} if len(folders) > 1 else {}

    def tabulate(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return the log's rows of a part."""
        if READ_AT not in part:  # no file of the part could be read for now
            return pd.DataFrame()
        part = part[part[READ_AT].notna() & ~part["sha256"].isin(self._known)]
        measured = part[[name for name in list_watched(part.columns) if name != READ_AT]]
        facts = tabulate_facts(part, self._reader.class_names, measured)
        folders = part["path"].map(posixpath.dirname)
        facts = facts.assign(together=folders.map(self._together) if self._together else None)
        return facts.assign(
            sha256=part["sha256"], read_at=part[READ_AT], source="predict", **describe_origin(self._reader)
        )
