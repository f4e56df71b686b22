"""Raabin-WBC: single leukocytes of five kinds, from blood without acute leukemia."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from leukoscope.images.files import ImageSource
from leukoscope.images.layout import BENIGN, CELLS, Layout, cut_suffix, is_image, register
from leukoscope.images.naming import NamedFile

_KINDS = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")
_FEWEST = 2  # Test-B has two of the five
# Other data sets have folders of these kinds too, but Raabin's images are named by time of capture and by cell.
_NAME = re.compile(r"\d{8}_\d{6}_\d+")
_MOST_NAMES = 0.5
_PARTS = ("test-a", "test-b")


@register
class Raabin(Layout):
    """Folders named by kind of cell, in ``Train``, ``Test-A`` or ``Test-B``.

    Kouzehkanan et al. 2022, A large dataset of white blood cells containing cell locations and types, along with
    segmented nuclei and cytoplasm (Scientific Reports 12:1123).
    """

    name = "raabin"
    title = "Raabin-WBC"
    expects = f"folders of single cells called {', '.join(_KINDS)}, two of them or more, as in Train, Test-A and Test-B"
    unknown = (
        "Names do not tell whose cells they are. There are no cells of acute leukemia, so that nothing can be said of "
        "sensitivity."
    )
    scale = CELLS
    meanings: ClassVar[Mapping[str, str]] = dict.fromkeys(_KINDS, BENIGN)

    def fits(self, source: ImageSource) -> bool:
        """Check whether there are images in two folders with such names."""
        return len({_find_kind(file.path) for file in source.files if is_image(file)} - {None}) >= _FEWEST

    def is_evident(self, source: ImageSource) -> bool:
        """Check whether a parent folder or most file names are Raabin's."""
        paths = [PurePosixPath(file.path) for file in source.files if is_image(file) and _find_kind(file.path)]
        if any(part.casefold() in _PARTS for path in paths for part in path.parts):
            return True
        return sum(bool(_NAME.fullmatch(path.stem)) for path in paths) > _MOST_NAMES * len(paths)

    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Label the files by their folders."""
        sorted_files = []
        for file in source.files:
            if is_image(file):
                kind = _find_kind(file.path)
                refused = file.refused or (None if kind else "not inside a folder of a kind of cell")
                sorted_files.append(NamedFile(cut_suffix(file.path), kind, file._replace(refused=refused)))
        return sorted_files


def _find_kind(path: str) -> str | None:
    folder = PurePosixPath(path).parent.name.casefold()
    return next((kind for kind in _KINDS if kind.casefold() == folder), None)
