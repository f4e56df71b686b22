"""C-NMC 2019, the data set of the ISBI challenge: single leukocytes cut out on black, by subject."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from leukoscope.core.class_names import MALIGNANT
from leukoscope.core.errors import InputError
from leukoscope.images.files import FoundFile, ImageSource, compose
from leukoscope.images.layout import BENIGN, CELLS, Layout, cut_suffix, is_image, register
from leukoscope.images.naming import NamedFile

_NAME = re.compile(r"UID_(H?\d+)_\d+_\d+_(all|hem)", re.IGNORECASE)
_TABLE = "_labels.csv"
_COLUMNS = ("Patient_ID", "new_names", "labels")
_MEANING = {"1": "all", "0": "hem"}  # of the column labels
_MOST_BYTES = 10_000_000
_NO_LABEL = "neither its name nor a table says what it shows"


@register
class Cnmc(Layout):
    """Files named by subject and label, and numbered files whose names are listed in a table.

    Gupta et al. 2019, C-NMC 2019 (The Cancer Imaging Archive): ``UID_<subject>_<image>_<cell>_<label>.bmp``, with an H
    before the number of a healthy subject. The preliminary test set is numbered, and a CSV gives each image's name in
    ``Patient_ID``, its number in ``new_names`` and 1 for leukemia in ``labels``.
    """

    name = "cnmc"
    title = "C-NMC 2019"
    expects = (
        "files named UID_<subject>_<image>_<cell>_all.bmp or UID_H<subject>_<image>_<cell>_hem.bmp, or numbered ones "
        "and a table *_labels.csv with Patient_ID, new_names and labels"
    )
    unit = "subject"
    unknown = "Names do not tell the subtype of a leukemia, and the final test set has no labels."
    scale = CELLS
    meanings: ClassVar[Mapping[str, str]] = {"all": MALIGNANT, "hem": BENIGN}

    def fits(self, source: ImageSource) -> bool:
        """Check whether there is a file with such a name, or such a table."""
        return any(_is_table(file) or _NAME.fullmatch(PurePosixPath(file.path).stem) for file in source.files)

    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Label the files by their names, and numbered files by the table next to them or next to their folder."""
        tables = _read_tables(source)
        return [_sort(file, tables) for file in source.files if is_image(file)]

    def find_group(self, image_id: str) -> str | None:
        """Return the subject of an image."""
        match = _NAME.fullmatch(PurePosixPath(image_id).name.rstrip("+"))
        return f"subject {match[1].upper()}" if match else None


def _is_table(file: FoundFile) -> bool:
    return file.path.lower().endswith(_TABLE)


def _sort(file: FoundFile, tables: Mapping[PurePosixPath, Mapping[str, tuple[str, str]]]) -> NamedFile:
    path = PurePosixPath(compose(file.path))
    match = _NAME.fullmatch(path.stem)
    label = None
    image_id = cut_suffix(file.path)
    refused = _NO_LABEL
    if match:
        label = match[2].lower()
        folder = path.parent.name.lower()
        if folder in ("all", "hem") and folder != label:
            label, refused = None, f"its folder says {folder}, and its name {label}"
    else:
        rows = next((tables[parent] for parent in path.parents if parent in tables), {})
        if path.name in rows:
            name, label = rows[path.name]
            image_id = str(path.parent / name)
    return NamedFile(image_id, label, file if label else file._replace(refused=file.refused or refused))


def _read_tables(source: ImageSource) -> dict[PurePosixPath, dict[str, tuple[str, str]]]:
    """Read the name and label of each numbered image, by the folder that contains it.

    If a folder has the name of its table, the table applies only to that folder, since the final test set next to it
    has the same numbers.
    """
    tables = {}
    folders = {parent for file in source.files for parent in PurePosixPath(file.path).parents}
    with source.reading() as read:
        for file in source.files:
            if _is_table(file) and not file.refused:
                path = PurePosixPath(file.path)
                folder = path.with_name(path.name[: -len(_TABLE)])
                content = read(file.path) if file.size <= _MOST_BYTES else b""
                tables[folder if folder in folders else path.parent] = _read_table(content, file.path)
    return tables


def _read_table(content: bytes, name: str) -> dict[str, tuple[str, str]]:
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    try:
        if not set(_COLUMNS) <= set(reader.fieldnames or ()):
            raise csv.Error(f"its columns are {', '.join(reader.fieldnames or ()) or 'none'}")
        rows = {}
        for row in reader:
            stem = PurePosixPath(row["Patient_ID"] or "").stem
            match = _NAME.fullmatch(stem)
            label = match[2].lower() if match else ""
            if label != _MEANING.get((row["labels"] or "").strip()):
                raise csv.Error(f"line {reader.line_num} says {row['Patient_ID']!r} and {row['labels']!r}")
            rows[row["new_names"] or ""] = (stem, label)
    except csv.Error as error:
        raise InputError(
            f"The table {name} of C-NMC 2019 cannot be used: {error}. Expected the columns {', '.join(_COLUMNS)}, and "
            f"rows such as UID_57_29_1_all.bmp,1.bmp,1."
        ) from error
    return rows
