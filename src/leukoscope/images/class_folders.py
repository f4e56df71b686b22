"""Which class and which id each file of a source has."""

import os
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.images.files import LINKED_FOLDER, MOST_LEVELS, FoundFile, ImageSource, compose, show_name
from leukoscope.images.listing import View, find_odd_names, make_tuple

_PREFERRED_PARENT = "Original"
_IGNORED_PARENT = "Segmented"  # masks are no smears
_FOLDERS_SHOWN = 8


class NamedFile(NamedTuple):
    """A found file with its identity.

    Attributes:
        image_id: Path below the class folders' parent, or else below the root, without suffix, in Unicode's composed
            form (NFC); unique in the source.
        label: Name of the class folder that the file lies in, or None.
        file: The file itself.
    """

    image_id: str
    label: str | None
    file: FoundFile


def label_files(source: ImageSource, class_names: Sequence[str]) -> Sequence[NamedFile]:
    """Find the class folders and give every file below their parent its id and its label.

    Names are compared in Unicode's composed form. Entries that point outside the source have no place below any folder,
    and are kept so that they are reported.

    Returns:
        The files sorted by path. Of those that differ by suffix only, all but the first keep the suffix in the id.

    Raises:
        InputError: No class folder, several sets of them, or a class without any file.
    """
    parent = _find_parent(source, class_names)
    new = make_tuple(NamedFile)
    # One string a class, not one a file.
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
    """Give every file below the root its id, and none a label, whatever folder it lies in.

    Returns:
        The files sorted by path, with ids as of ``label_files``.

    Raises:
        InputError: There is no file at all.
    """
    if not source.files:
        raise InputError(f"{source.root} holds no file. Expected one image or more, at any depth.")
    new = make_tuple(NamedFile)
    return _give_ids(
        source, None, lambda file: compose(file.path), lambda image_id, _, file: new((image_id, None, file))
    )


def list_folder_names(source: ImageSource) -> set[str]:
    """List the names of all folders with files, in Unicode's composed form."""
    return {compose(folder.name) for folder in _list_folders(source.files)}


def _give_ids(
    source: ImageSource,
    places: "array[int] | None",
    find_below: Callable[[FoundFile], str],
    name: Callable[[str, str, FoundFile], NamedFile],
) -> Sequence[NamedFile]:
    """Give files their ids.

    Args:
        source: Has the files.
        places: Which of them, in order; ``None``: all.
        find_below: Gives a file's path below the class folders' parent.
        name: Makes a named file of its id, that path and the file.
    """
    odd = find_odd_names(lambda: View(source.files, places, lambda _, file: find_below(file)), _cut_suffix)

    def make(place: int, file: FoundFile) -> NamedFile:
        below = find_below(file)
        return name(odd.get(place) or _cut_suffix(below), below, file)

    return View(source.files, places, make)


def _cut_suffix(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    if dot and "/" not in suffix and stem[-1:] not in ("", "/", "."):
        return stem  # as of `splitext`, in a third of the time: this runs for millions of files
    return os.path.splitext(path)[0]


def _find_parent(source: ImageSource, class_names: Sequence[str]) -> str:
    """Give the folder that holds the class folders, relative to the root (``"."``: the root itself)."""
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
        hints += _tell_refused(source.files)
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
    """Say what may be meant by the names of missing classes; ends with a space, if there is anything to say."""
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


def _tell_refused(files: Iterable[FoundFile]) -> str:
    """Say why files are not taken, which alone may be why no class folder was found; ends with a space."""
    reasons = Counter(file.refused for file in files if file.refused and file.refused != LINKED_FOLDER)
    if not reasons:
        return ""
    (reason, number), *_ = reasons.most_common(1)
    return f"Not taken: {count_of(number, 'file')} ({reason}). "


def _find_near(name: str, folders: Collection[str]) -> list[str]:
    """Find the folders whose names differ in case and spaces only, then those that resemble it."""
    same = [folder for folder in sorted(folders) if _simplify(folder) == _simplify(name)]
    return same + get_close_matches(name, folders, cutoff=0.8)


def _simplify(name: str) -> str:
    return "".join(compose(name).casefold().split())
