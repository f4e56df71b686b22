"""How public data sets name and lay out their files, and what can be read off that: the registry of layouts.

Each layout is a file of ``images/layouts`` that registers one; a new file there is a new layout.
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
    """What a source's layout tells of its images.

    Attributes:
        layout: The name of the layout.
        title: Of the data set, or of the kind of folder.
        scale: What an image shows, ``FIELDS`` or ``CELLS``; empty where nobody knows.
        unit: What images are grouped by, such as ``subject``; empty where names have nothing of it.
        unknown: What its names do not tell, in a sentence; may be empty.
        labels: How many files there are of each of the layout's own labels; empty where folders are the labels.
        meanings: What these labels mean, ``benign`` or ``malignant``; without those that say nothing of it.
    """

    layout: str
    title: str
    scale: str
    unit: str
    unknown: str
    labels: dict[str, int]
    meanings: dict[str, str]


class Layout(ABC):
    """How the files of a data set are named and lie.

    Attributes:
        name: As in ``external.layout``.
        title: Of the data set.
        expects: What its files look like, in words.
        unit: As in ``LayoutFacts``, and so are the next three.
        unknown: See there.
        scale: See there.
        meanings: See there.
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
        """Tell by names alone whether files look as they do here."""

    def is_evident(self, source: ImageSource) -> bool:
        """Tell whether files that fit can hardly be another data set's, so that `auto` may take them for this one's."""
        return True

    @abstractmethod
    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Give every image of a source that fits its id and the layout's own label.

        What only describes images is left out. An image whose label cannot be known has none, and a reason.

        Raises:
            InputError: A file that describes images cannot be read.
        """

    def open(self, source: ImageSource) -> ImageSource:
        """Give where the sorted files are read from."""
        return source

    def find_group(self, image_id: str) -> str | None:
        """Give the subject, or what else ``unit`` is, that an image's id has; ``None`` where it has none."""
        return None

    def find_scale(self, source: ImageSource) -> str:
        """Tell what the images show."""
        return self.scale

    def describe(self, source: ImageSource) -> LayoutFacts:
        """Gather what is known of a source's images."""
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
        """Give the files of some labels, and those whose label cannot be known, sorted by path.

        Raises:
            InputError: There is no file of one of the labels.
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
    """One folder of images for each class, as of the published smears."""

    name = FOLDERS
    title = "folders of classes"
    expects = "one folder of images for each class"

    def fits(self, source: ImageSource) -> bool:
        """Any source may: which folders are classes, only the parameters say."""
        return True

    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Sort nothing: labels are asked for by their names."""
        return []

    def label_files(self, source: ImageSource, class_names: Sequence[str]) -> Sequence[NamedFile]:
        """Give every file below the class folders' parent its id and its label."""
        return label_files(source, class_names)


_registry: dict[str, Layout] = {FOLDERS: ClassFolders()}


def register(layout: type[Layout]) -> type[Layout]:
    """Make a layout known by its name; a decorator.

    Raises:
        ValueError: Another has the name.
    """
    if layout.name in _registry or layout.name == AUTO:
        raise ValueError(f"there is a layout '{layout.name}' already")
    _registry[layout.name] = layout()
    return layout


def list_layouts() -> dict[str, Layout]:
    """List all layouts by their names, folders of classes first."""
    folder = import_module("leukoscope.images.layouts")
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        import_module(module.name)
    return dict(_registry)


def require_layout(name: str) -> str:
    """Give a layout's name back, or ``auto``.

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
    """Get a layout by its name."""
    return list_layouts()[require_layout(name)]


def recognise(source: ImageSource, chosen: str, parameter: str) -> Layout:
    """Find the layout of a source, or make sure that it has the one that was chosen.

    Args:
        source: Of which names are looked at, and no image.
        chosen: The name of a layout, or ``auto``.
        parameter: What sets it, for messages.

    Raises:
        InputError: The source is laid out otherwise, or as several data sets at once.
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
    """Name the layout that a source looks like, in a sentence after a space; nothing where it looks like none."""
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
    """Tell by its suffix whether a file is an image."""
    return PurePosixPath(file.path).suffix.lower() in _SUFFIXES


def cut_suffix(path: str) -> str:
    """Give a path in Unicode's composed form, without its suffix: an image's id."""
    return compose(str(PurePosixPath(path).with_suffix("")))


def name_groups(layout: str, image_ids: Iterable[str], index: pd.Index) -> pd.Series:
    """Give the subject, or what else images of a layout are grouped by, of each image; null where it is not known.

    Args:
        layout: Its name.
        image_ids: As the layout gave them.
        index: Of the result.
    """
    find = get(layout).find_group
    return pd.Series([find(image_id) for image_id in image_ids], index=index, dtype="str")


def _make_unique(files: Sequence[NamedFile]) -> list[NamedFile]:
    """Keep files whose id another has, under a longer id and with the reason why they cannot be used."""
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
