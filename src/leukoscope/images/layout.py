"""The registry of layouts: how public data sets name and arrange their files, and what that reveals of the images.

Each file of ``images/layouts`` registers one layout; to add a layout, add a file there.
"""

import logging
import pkgutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import PurePosixPath
from typing import ClassVar, NamedTuple

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.images.class_folders import label_files
from leukoscope.images.files import FoundFile, ImageSource, compose, show_name
from leukoscope.images.naming import NamedFile

logger = logging.getLogger(__name__)

FOLDERS = "folders"
AUTO = "auto"
FIELDS = "fields"
CELLS = "single cells"
BENIGN = "benign"
_SUFFIXES = frozenset({".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})
_SHOWN = 3


class LayoutFacts(NamedTuple):
    """Facts about a source's images that follow from its layout.

    Attributes:
        layout: The name of the layout.
        title: Title of the data set, or of the kind of folder.
        scale: What an image shows, ``FIELDS`` or ``CELLS``; empty if unknown.
        unit: The unit that images are grouped by, such as ``subject``; empty if names do not contain one.
        unknown: A sentence on what the names do not reveal; may be empty.
        labels: Number of files for each of the layout's own labels; empty if folders are the labels.
        meanings: The meaning of these labels, ``benign`` or ``malignant``; labels without such a meaning are omitted.
    """

    layout: str
    title: str
    scale: str
    unit: str
    unknown: str
    labels: dict[str, int]
    meanings: dict[str, str]


class Layout(ABC):
    """How the files of a data set are named and arranged.

    Attributes:
        name: Name of the layout, as in ``external.layout``.
        title: Title of the data set.
        expects: Description of the expected files.
        unit: See ``LayoutFacts``.
        unknown: See ``LayoutFacts``.
        scale: See ``LayoutFacts``.
        meanings: See ``LayoutFacts``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    expects: ClassVar[str]
    unit: ClassVar[str] = ""
    unknown: ClassVar[str] = ""
    scale: ClassVar[str] = ""
    meanings: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def fits(self, source: ImageSource) -> bool:
        """Check by names alone whether a source's files have this layout."""

    def is_evident(self, source: ImageSource) -> bool:
        """Check whether matching files can hardly belong to another data set, so that `auto` may choose this layout."""
        return True

    @abstractmethod
    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Assign an id and the layout's own label to every image of a source that fits.

        Files that only describe images are left out. An image whose label is unknown has none, and a reason.

        Raises:
            InputError: A file that describes images cannot be read.
        """

    def open(self, source: ImageSource) -> ImageSource:
        """Return the source that the sorted files are read from."""
        return source

    def find_group(self, image_id: str) -> str | None:
        """Return the group in an image's id, such as its subject (see ``unit``); ``None`` if it has none."""
        return None

    def find_scale(self, source: ImageSource) -> str:
        """Determine what the images show, ``FIELDS`` or ``CELLS``."""
        return self.scale

    def describe(self, source: ImageSource) -> LayoutFacts:
        """Collect the facts about a source's images."""
        counts = Counter(item.label for item in self.sort(source) if item.label is not None)
        return LayoutFacts(
            self.name,
            self.title,
            self.find_scale(source),
            self.unit,
            self.unknown,
            dict(sorted(counts.items())),
            dict(self.meanings),
        )

    def label_files(self, source: ImageSource, class_names: Sequence[str]) -> Sequence[NamedFile]:
        """Return the files with the given labels and those whose label is unknown, sorted by path.

        Raises:
            InputError: One of the labels has no file.
        """
        sorted_files = self.sort(source)
        labels = {item.label for item in sorted_files if item.label is not None}
        missing = [name for name in class_names if name not in labels]
        if missing:
            raise InputError(
                f"{source.root}, laid out as {self.title}, has no image labelled {', '.join(map(show_name, missing))}. "
                f"Its labels are {', '.join(map(show_name, sorted(labels))) or 'none'}: name these in class_names."
            )
        kept = [item for item in sorted_files if item.label is None or item.label in class_names]
        return _make_unique(sorted(kept, key=lambda item: item.file.path))


class ClassFolders(Layout):
    """One folder of images for each class, as in the published data set."""

    name = FOLDERS
    title = "folders of classes"
    expects = "one folder of images for each class"

    def fits(self, source: ImageSource) -> bool:
        """Accept any source: only the parameters say which folders are classes."""
        return True

    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Return nothing, since the labels are named by the caller of ``label_files``."""
        return []

    def label_files(self, source: ImageSource, class_names: Sequence[str]) -> Sequence[NamedFile]:
        """Assign an id and a label to every file below the class folders' parent."""
        return label_files(source, class_names)


_registry: dict[str, Layout] = {FOLDERS: ClassFolders()}


def register(layout: type[Layout]) -> type[Layout]:
    """Register a layout under its name; use as a decorator.

    Raises:
        ValueError: The name is taken.
    """
    if layout.name in _registry or layout.name == AUTO:
        raise ValueError(f"there is a layout '{layout.name}' already")
    _registry[layout.name] = layout()
    return layout


def list_layouts() -> dict[str, Layout]:
    """List all layouts by name, folders of classes first."""
    folder = import_module("leukoscope.images.layouts")
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        import_module(module.name)
    return dict(_registry)


def require_layout(name: str) -> str:
    """Return the name unchanged if it is a layout's or ``auto``.

    Raises:
        ValueError: There is no such layout.
    """
    names = [*list_layouts(), AUTO]
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ValueError(f"there is no layout '{name}': {hint}known are {', '.join(names)}")
    return name


def get(name: str) -> Layout:
    """Return the layout of a name."""
    return list_layouts()[require_layout(name)]


def recognise(source: ImageSource, chosen: str, parameter: str) -> Layout:
    """Recognise the layout of a source, or check that it has the chosen one.

    Args:
        source: The source; only file names are inspected, no images.
        chosen: The name of a layout, or ``auto``.
        parameter: The parameter that sets the layout, for messages.

    Raises:
        InputError: The source has another layout, or fits several at once.
    """
    fitting = [layout for layout in list_layouts().values() if layout.name != FOLDERS and layout.fits(source)]
    if chosen == AUTO:
        return _choose(source, fitting, parameter)
    layout = get(chosen)
    if layout.name == FOLDERS:
        if fitting:
            known = fitting[0]
            gain = f", which knows each image's {known.unit}" if known.unit else ""
            logger.info("The images look like %s: %s=%s is its layout%s", known.title, parameter, known.name, gain)
        return layout
    if layout not in fitting:
        raise InputError(
            f"{source.root} is not laid out as {layout.title} ({parameter}={chosen}): expected {layout.expects}; found "
            f"{_show_files(source)}.{suggest(source, parameter) or f' Give another path, or {parameter}={FOLDERS}.'}"
        )
    return layout


def suggest(source: ImageSource, parameter: str) -> str:
    """Name the layout that a source looks like, in a sentence with a leading space; empty if it looks like none."""
    fitting = [layout for layout in list_layouts().values() if layout.name != FOLDERS and layout.fits(source)]
    return "".join(f" It looks like {layout.title}: {parameter}={layout.name}." for layout in fitting[:1])


def _choose(source: ImageSource, fitting: Sequence[Layout], parameter: str) -> Layout:
    if len(fitting) > 1:
        names = " and ".join(layout.title for layout in fitting)
        ways = " or ".join(f"{parameter}={layout.name}" for layout in fitting)
        raise InputError(f"{source.root} looks like {names} at once. Say which is meant: {ways}.")
    layout = fitting[0] if fitting else get(FOLDERS)
    if not layout.is_evident(source):
        raise InputError(
            f"{source.root} looks like {layout.title}, and may as well be another data set with such names. Say which "
            f"it is: {parameter}={layout.name}, or {parameter}={FOLDERS} for folders of your own."
        )
    why = "" if fitting else ", since no known data set was recognised"
    logger.info("%s=auto: %s is taken for %s (%s)%s", parameter, source.root, layout.title, layout.name, why)
    return layout


def _show_files(source: ImageSource) -> str:
    files = [show_name(file.path) for file in source.files[:_SHOWN]]
    count = len(source.files)
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return ", ".join(files) + more if files else "no file"


def is_image(file: FoundFile) -> bool:
    """Check by its suffix whether a file is an image."""
    return PurePosixPath(file.path).suffix.lower() in _SUFFIXES


def cut_suffix(path: str) -> str:
    """Return a path in Unicode's composed form, without its suffix: an image's id."""
    return compose(str(PurePosixPath(path).with_suffix("")))


def name_groups(layout: str, image_ids: Iterable[str], index: pd.Index) -> pd.Series:
    """Return the group of each image, such as its subject, according to a layout; null if unknown.

    Args:
        layout: Name of the layout.
        image_ids: Image ids, as assigned by the layout.
        index: Index of the result.
    """
    find = get(layout).find_group
    return pd.Series([find(image_id) for image_id in image_ids], index=index, dtype="str")


def _make_unique(files: Sequence[NamedFile]) -> list[NamedFile]:
    """Keep files whose id is taken, under a longer id and with the reason why they cannot be used."""
    seen = set[str]()
    unique = list[NamedFile]()
    for item in files:
        name = item.image_id
        while name in seen:
            name += "+"
        seen.add(name)
        refused = item.file.refused or (None if name == item.image_id else f"another file is called {item.image_id}")
        unique.append(NamedFile(name, item.label, item.file._replace(refused=refused)))
    return unique
