"""Assign each file of a source its class and its id."""

import os
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple

from leukoscope.core.errors import InputError
from leukoscope.images.files import LINKED_FOLDER, MOST_LEVELS, FoundFile, ImageSource, compose, show_name
from leukoscope.images.listing import View, find_odd_names, make_tuple

_PREFERRED_PARENT = "Original"
_IGNORED_PARENT = "Segmented"  # masks, not smears
_FOLDERS_SHOWN = 8


class NamedFile(NamedTuple):
    """A found file with its identity.

    Attributes:
        image_id: Path relative to the class folders' parent, or else to the root, without suffix, in Unicode's
            composed form (NFC); unique in the source.
        label: Name of the class folder that contains the file, or None.
        file: The file itself.
    """

    image_id: str
    label: str | None
    file: FoundFile


def label_files(source: ImageSource, class_names: Sequence[str]) -> Sequence[NamedFile]:
    """Find the class folders and assign an id and a label to every file below their parent.

    Names are compared in Unicode's composed form. Entries that point outside the source lie below no folder; they are
    kept so that they are reported.

    Returns:
        The files sorted by path. Of files that differ only by suffix, all but the first keep the suffix in their id.

    Raises:
        InputError: There is no class folder, there are several sets of them, or a class has no file.
    """
    parent = _find_parent(source, class_names)
    new = make_tuple(NamedFile)
    # Share one string per class, rather than one per file.
    names = {compose(name): name for name in class_names}
    places = array("q")
    for place, file in enumerate(source.files):
        if file.leaves_root or parent == "." or file.path.startswith(f"{parent}/"):
            places.append(place)

    def find_below(file: FoundFile) -> str:
        return compose(file.path if file.leaves_root or parent == "." else file.path[len(parent) + 1 :])

    def label(image_id: str, below: str, file: FoundFile) -> NamedFile:
        first, _, rest = below.partition("/")
        label = names.get(first) if rest else None
        refused = file.refused or (None if label else "not inside a class folder")
        return new((image_id, label, file._replace(refused=refused) if refused else file))

    labelled = _give_ids(source, places, find_below, label)
    _require_every_class(source, {item.label for item in labelled}, class_names, parent)
    return labelled


def name_files(source: ImageSource) -> Sequence[NamedFile]:
    """Assign an id, but no label, to every file below the root, whatever folder contains it.

    Returns:
        The files sorted by path, with ids as in ``label_files``.

    Raises:
        InputError: There are no files at all.
    """
    if not source.files:
        raise InputError(f"{source.root} holds no file. Expected one image or more, at any depth.")
    new = make_tuple(NamedFile)
    return _give_ids(
        source, None, lambda file: compose(file.path), lambda image_id, _, file: new((image_id, None, file))
    )


def list_folder_names(source: ImageSource) -> set[str]:
    """List the names of all folders that contain files, in Unicode's composed form."""
    return {compose(folder.name) for folder in _list_folders(source.files)}


def _give_ids(
    source: ImageSource,
    places: "array[int] | None",
    find_below: Callable[[FoundFile], str],
    name: Callable[[str, str, FoundFile], NamedFile],
) -> Sequence[NamedFile]:
    """Assign ids to files.

    Args:
        source: The source of the files.
        places: Positions of the files to use, in order; ``None``: all.
        find_below: Returns a file's path relative to the class folders' parent.
        name: Makes a named file from its id, that path and the file.
    """
    odd = find_odd_names(lambda: View(source.files, places, lambda _, file: find_below(file)), _cut_suffix)

    def make(place: int, file: FoundFile) -> NamedFile:
        below = find_below(file)
        return name(odd.get(place) or _cut_suffix(below), below, file)

    return View(source.files, places, make)


def _cut_suffix(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    if dot and "/" not in suffix and stem[-1:] not in ("", "/", "."):
        return stem  # same result as `splitext` in a third of the time: this runs for millions of files
    return os.path.splitext(path)[0]


def _find_parent(source: ImageSource, class_names: Sequence[str]) -> str:
    """Find the folder that holds the class folders, relative to the root (``"."``: the root itself)."""
    folders = _list_folders(source.files)
    names = set(map(compose, class_names))
    parents = {
        folder.parent
        for folder in folders
        if compose(folder.name) in names
        and _IGNORED_PARENT not in folder.parts
        and not any(compose(name) in names for name in folder.parent.parts)
    }
    if len(parents) > 1:
        preferred = {parent for parent in parents if parent.name == _PREFERRED_PARENT}
        parents = preferred or parents
    if not parents:
        hints = _give_hints(class_names, {folder.name for folder in folders}, source.files)
        raise InputError(
            f"{source.root} holds no class folder. Expected folders named {_join(class_names)}; "
            f"there {_name_folders(folders)}. {hints}Rename them, set class_names, or give another path."
        )
    if len(parents) > 1:
        raise InputError(
            f"{source.root} holds several sets of class folders: in {_join(sorted(map(str, parents)))}. "
            f"Expected one, or one named {_PREFERRED_PARENT}: give the path of the one that is meant."
        )
    return str(parents.pop())


def _list_folders(files: Iterable[FoundFile]) -> set[PurePosixPath]:
    paths = {file.path.rpartition("/")[0] for file in files if not file.leaves_root}
    direct = [PurePosixPath(path) for path in paths if path.count("/") <= MOST_LEVELS]
    return {folder for path in direct for folder in (path, *path.parents)} - {PurePosixPath()}


def _join(names: Iterable[str]) -> str:
    return ", ".join(map(show_name, names))


def _name_folders(folders: set[PurePosixPath]) -> str:
    if not folders:
        return "is no folder with files"
    names = [show_name(str(folder)) for folder in sorted(folders)]
    more = len(names) - _FOLDERS_SHOWN
    return "are " + ", ".join(names[:_FOLDERS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _require_every_class(
    source: ImageSource, found_names: set[str | None], class_names: Sequence[str], parent: str
) -> None:
    missing = [name for name in class_names if name not in found_names]
    if missing:
        others = {folder.name for folder in _list_folders(source.files) if str(folder.parent) == parent}
        hints = _give_hints(missing, others - set(class_names), source.files)
        raise InputError(
            f"No file for the class {_join(missing)} at {source.root}, in {parent!r}. {hints}Expected one folder with "
            f"images for each of {_join(class_names)}: add the missing ones, or take them out of class_names."
        )


def _give_hints(missing: Sequence[str], folders: Collection[str], files: Iterable[FoundFile]) -> str:
    """Suggest what the names of missing classes may refer to; a non-empty result ends with a space."""
    links = {compose(PurePosixPath(file.path).name) for file in files if file.refused == LINKED_FOLDER}
    linked = [name for name in missing if compose(name) in links]
    hints = [
        f"There is {near!r}: did you mean {name!r}? " for name in missing for near in _find_near(name, folders)[:1]
    ]
    if linked:
        hints.append(
            f"Symbolic links to folders are not followed, as {_join(linked)}: copy the folders, or mount them. "
        )
    return "".join(hints)


def _find_near(name: str, folders: Collection[str]) -> list[str]:
    """Find the folders whose names differ from a name only in case and spaces, then those with similar names."""
    same = [folder for folder in sorted(folders) if _simplify(folder) == _simplify(name)]
    return same + get_close_matches(name, folders, cutoff=0.8)


def _simplify(name: str) -> str:
    return "".join(compose(name).casefold().split())
