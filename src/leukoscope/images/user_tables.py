"""Read the user's tables of groups and of labels, as written by spreadsheets and editors."""

import codecs
import csv
import io
import logging
import zipfile
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import NamedTuple
from unicodedata import category

import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError

logger = logging.getLogger(__name__)

_MOST_BYTES = 64 * 2**20
_WORKBOOK = b"PK\x03\x04"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_MOST_ROWS = 2_000_000
_MOST_COLUMNS = 64
_MOST_IN_WORKBOOK = 256 * 2**20  # bytes when unpacked
_PIECE = 2**20
# UTF-32 comes first, since one of its byte order marks begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEPARATORS = ",;\t|"
Row = Sequence[str]


class Kind(NamedTuple):
    """A kind of table about images.

    Attributes:
        title: Name of such a table, for messages.
        value: The column with the information about the images.
        keys: The columns that can identify images, the most reliable first; a table has one of them.
        is_single: Whether a table may have only one of these columns.
    """

    title: str
    value: str
    keys: tuple[str, ...]
    is_single: bool

    @property
    def expected(self) -> str:
        """Description of a valid table, for messages."""
        return (
            f"Expected a CSV in UTF-8, UTF-16 or Windows-1252, or an Excel workbook, with a column {self.value} and a "
            f"column {self.either}: save it again as CSV."
        )

    @property
    def either(self) -> str:
        """The columns that can identify images, in words."""
        return f"{', '.join(self.keys[:-1])} or {self.keys[-1]}"


GROUPS = Kind("table of groups", "group", ("image_id", "pattern"), True)
LABELS = Kind("table of labels", "label", ("sha256", "image_id", "path", "file_name"), False)


def read_table(content: bytes, name: str, kind: Kind) -> pd.DataFrame:
    """Read a table: CSV with commas, semicolons, tabs or bars, or an Excel workbook.

    Args:
        content: Content of the file.
        name: Name of the file, for messages.
        kind: Kind of the table.

    Returns:
        All columns as text, with names in lower case: ``001`` is kept as is, and an empty cell stays empty.

    Raises:
        InputError: The file is not a table, or lacks the required columns.
    """
    if len(content) > _MOST_BYTES:
        raise InputError(
            f"The {kind.title} {name} has {len(content):,} bytes, more than {_MOST_BYTES:,}. {kind.expected}"
        )
    if content.startswith(_OLD_WORKBOOK):
        raise InputError(f"The {kind.title} {name} is a workbook of an old Excel, or protected. {kind.expected}")
    if content.startswith(_WORKBOOK):
        return _tabulate(enumerate(_read_workbook(content, name, kind), start=1), name, kind)
    text = _decode(content, name, kind)
    if not text.strip():
        raise InputError(f"The {kind.title} {name} is empty. {kind.expected}")
    return _tabulate(_read_csv(text, name, kind), name, kind)


def _decode(content: bytes, name: str, kind: Kind) -> str:
    encoding = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), None)
    text = _try(content, encoding or _guess_wide(content) or "utf-8")
    if text is None and encoding is None:
        text = _try(content, "cp1252")
        if text is not None:
            logger.warning("The %s %s is not in UTF-8, and read as Windows-1252", kind.title, name)
    if text is None or any(category(character) == "Cc" for character in set(text) - set("\t\r\n")):
        raise InputError(f"The {kind.title} {name} is not text. {kind.expected}")
    return text


def _try(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _guess_wide(content: bytes) -> str | None:
    """Recognise UTF-16 without a byte order mark: every second byte of ASCII text is 0."""
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if content[start::2].count(0) > len(content) / 4:
            return encoding
    return None


def _read_csv(text: str, name: str, kind: Kind) -> Iterable[tuple[int, Row]]:
    first, _, rest = text.partition("\n")
    stated = first.strip().lower().removeprefix("sep=") if first.lower().startswith("sep=") else ""
    if len(stated) == 1:  # Excel's `sep=` line, which names the separator
        text = rest
    separator = stated if len(stated) == 1 else max(_SEPARATORS, key=lambda mark: _count_columns(text, mark, kind))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(
            f"Line {reader.line_num} of the {kind.title} {name} cannot be read: {error}. {kind.expected}"
        ) from error


def _count_columns(text: str, separator: str, kind: Kind) -> int:
    header = text.lstrip().partition("\n")[0].split(separator)
    return sum(_plain(field.strip().strip('"')) in (*kind.keys, kind.value) for field in header)


def _plain(column: str) -> str:
    return column.strip().lower()


def _tabulate(rows: Iterable[tuple[int, Row]], name: str, kind: Kind) -> pd.DataFrame:
    filled = [(number, row) for number, row in rows if any(field.strip() for field in row)]
    columns = [_plain(field) for field in filled[0][1]] if filled else []
    while columns and not columns[-1]:
        columns.pop()
    keys = [column for column in kind.keys if column in columns]
    if kind.value not in columns or not keys:
        shown = ", ".join(columns) or "none"
        raise InputError(
            f"The {kind.title} {name} has the columns {shown}; it needs {kind.value}, and {kind.either}. "
            f"{kind.expected}"
        )
    once = [*keys, kind.value]
    if (kind.is_single and len(keys) > 1) or any(columns.count(column) > 1 for column in once):
        raise InputError(
            f"The {kind.title} {name} has the columns {', '.join(columns)}. Expected one column {kind.value}, and one "
            f"of {kind.either}: remove the others."
        )
    _refuse_suggestions(columns, name, kind)
    table = [_fit(row, len(columns), number, name, kind) for number, row in filled[1:]]
    return pd.DataFrame(table, columns=columns, dtype=str)[[keys[0], kind.value]]


def _refuse_suggestions(columns: Sequence[str], name: str, kind: Kind) -> None:
    """Refuse a list of doubtful labels, whose column ``label`` holds the labels in doubt."""
    if kind is LABELS and "suggested" in columns:
        raise InputError(
            f"The {kind.title} {name} has a column suggested beside label, as label_issues.csv has, in which label "
            f"is the doubted one. Keep the rows that somebody agrees with, remove the column label, and rename "
            f"suggested to label."
        )


def _fit(row: Row, columns: int, number: int, name: str, kind: Kind) -> Row:
    if len(row) < columns or any(field.strip() for field in row[columns:]):
        raise InputError(
            f"Line {number} of the {kind.title} {name} has {count_of(len(row), 'field')}. Expected {columns}: put a "
            f"field that contains the separator into quotes."
        )
    return row[:columns]


def _read_workbook(content: bytes, name: str, kind: Kind) -> list[Row]:
    """Read the first sheet of an Excel workbook."""
    if find_spec("openpyxl") is None:
        raise InputError(
            f"The {kind.title} {name} is an Excel workbook, which openpyxl reads, and that is not installed. Run "
            f"`pip install openpyxl`, or save the table as CSV."
        )
    try:
        _require_modest(content)
        return _read_sheet(content)
    except Exception as error:
        # openpyxl may raise almost anything on a damaged file or another kind of zip.
        raise InputError(f"The {kind.title} {name} cannot be read as a workbook: {error}. {kind.expected}") from error


def _read_sheet(content: bytes) -> list[Row]:
    """Read the first sheet row by row, since a single far-away cell would create millions of empty ones.

    Raises:
        ValueError: The sheet has more rows or columns than any table of groups.
    """
    from openpyxl import load_workbook

    sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
    sheet.reset_dimensions()  # ignore the size that the sheet claims
    rows: list[list[str]] = []
    for cells in sheet.iter_rows(values_only=True):
        if len(cells) > _MOST_COLUMNS or len(rows) >= _MOST_ROWS:
            raise ValueError(f"it has more than {_MOST_ROWS:,} rows or {_MOST_COLUMNS} columns")
        rows.append(["" if cell is None else str(cell) for cell in cells])
    width = max(map(len, rows), default=0)
    return [[*row, *[""] * (width - len(row))] for row in rows]


def _require_modest(content: bytes) -> None:
    """Check that a workbook unpacks to the size that it states, and that this size is not excessive.

    Raises:
        ValueError: The size is excessive.
        BadZipFile: The workbook does not unpack to the stated size.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _MOST_IN_WORKBOOK:
            raise ValueError(f"it unpacks to more than {_MOST_IN_WORKBOOK:,} bytes")
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
            raise ValueError("it is packed in another way than workbooks are")
        for entry in entries:
            with archive.open(entry) as file:
                while file.read(_PIECE):
                    pass
