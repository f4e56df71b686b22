"""ALL-IDB1 and ALL-IDB2: fields, some with lymphoblasts, and single cells cut out of them."""

import logging
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from leukoscope.core.class_names import MALIGNANT
from leukoscope.core.errors import InputError
from leukoscope.images.files import ImageSource
from leukoscope.images.layout import BENIGN, CELLS, FIELDS, Layout, LayoutFacts, cut_suffix, is_image, register
from leukoscope.images.naming import NamedFile

logger = logging.getLogger(__name__)

_NAME = re.compile(r"Im\d{3}_([01])", re.IGNORECASE)
_LABELS = {"1": "ALL", "0": "healthy"}
_CENTROIDS = ".xyc"
_OF_FIELDS = (".jpg", ".jpeg")
_OF_CELLS = (".tif", ".tiff")
_MOST_BYTES = 1_000_000


@register
class AllIdb(Layout):
    """Files that name their label: ``Im001_1.jpg``, with 1 for leukemia and 0 for healthy.

    Donida Labati, Piuri and Scotti 2011, ALL-IDB: the acute lymphoblastic leukemia image database for image processing.
    ALL-IDB1 has fields as JPEG, with the centroids of blasts in ``.xyc`` files; ALL-IDB2 has single cells as TIFF.
    """

    name = "all_idb"
    title = "ALL-IDB"
    expects = "files named Im<three digits>_1 or _0, as .jpg (ALL-IDB1, fields) or .tif (ALL-IDB2, single cells)"
    unknown = (
        "Names do not tell whose cells they are, so that several images of one person count as several people's: "
        "intervals are too narrow."
    )
    meanings: ClassVar[Mapping[str, str]] = {"ALL": MALIGNANT, "healthy": BENIGN}

    def fits(self, source: ImageSource) -> bool:
        """Check whether any image has such a name."""
        return any(is_image(file) and _NAME.fullmatch(PurePosixPath(file.path).stem) for file in source.files)

    def find_scale(self, source: ImageSource) -> str:
        """Tell fields from single cells by their file type.

        Raises:
            InputError: There are files of both kinds, or of neither.
        """
        suffixes = {PurePosixPath(item.file.path).suffix.lower() for item in self.sort(source) if item.label}
        cells = suffixes & set(_OF_CELLS)
        fields = suffixes & set(_OF_FIELDS)
        if bool(cells) == bool(fields):
            there = "both" if cells else f"only {', '.join(sorted(suffixes))}"
            raise InputError(
                f"{source.root} is to be ALL-IDB1, fields as .jpg, or ALL-IDB2, single cells as .tif that were cut out "
                f"of them; found {there}. Give the folder of one of them."
            )
        return CELLS if cells else FIELDS

    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Label the files by their names."""
        sorted_files = []
        for file in source.files:
            if not is_image(file):
                continue
            match = _NAME.fullmatch(PurePosixPath(file.path).stem)
            label = _LABELS[match[1]] if match else None
            refused = file.refused or (None if label else "its name does not say what it shows")
            sorted_files.append(NamedFile(cut_suffix(file.path), label, file._replace(refused=refused)))
        return sorted_files

    def describe(self, source: ImageSource) -> LayoutFacts:
        """Collect the facts about the images; warn of labels that the centroids of blasts contradict."""
        odd = _list_odd(source)
        if odd:
            logger.warning(
                "%d of the .xyc files do not fit their names (blasts in a healthy field, or none in one of leukemia), "
                "such as %s: labels go by names",
                len(odd),
                odd[0],
            )
        return super().describe(source)


def _list_odd(source: ImageSource) -> list[str]:
    odd = []
    with source.reading() as read:
        for file in source.files:
            path = PurePosixPath(file.path)
            match = _NAME.fullmatch(path.stem)
            if match and path.suffix.lower() == _CENTROIDS and not file.refused and file.size <= _MOST_BYTES:
                has_blasts = bool(read(file.path).strip())
                if has_blasts != (match[1] == "1"):
                    odd.append(file.path)
    return odd
