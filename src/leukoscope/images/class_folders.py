"""Assign each file of a source its class and its id."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import PurePosixPath

import numpy as np

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.images.files import (
    LINKED_FOLDER,
    MOST_LEVELS,
    FoundFile,
    ImageSource,
    compose,
    compose_all,
    leaves_root,
    show_name,
)
from leukoscope.images.listing import Rows, divide
from leukoscope.images.naming import NamedFile, NamedFiles

_PREFERRED_PARENT = "Original"
_IGNORED_PARENT = "Segmented"  # masks, not smears
_FOLDERS_SHOWN = 8


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
    # Share one string per class, rather than one per file.
    names = {compose(name): name for name in class_names}
    prefix = "" if parent == "." else f"{parent}/"

    def find_below(paths: list[str]) -> list[str]:
        return compose_all([path if leaves_root(path) else path[len(prefix) :] for path in paths])

    def label(below: list[str]) -> list[str | None]:
        divided = (path.partition("/") for path in below)
        return [names.get(first) if rest else None for first, _, rest in divided]

    places = _find_places(source.files, prefix) if prefix else None
    labelled = NamedFiles(source.files, places, find_below, label)
    _require_every_class(source, labelled.find_labels(), class_names, parent)
    return labelled


def _find_places(files: Rows[FoundFile], prefix: str) -> np.ndarray:
    """Find the files below a folder, and those that lie below no folder."""
    found = [
        start + np.flatnonzero([path.startswith(prefix) or leaves_root(path) for path in files.list_paths(start, stop)])
        for start, stop in divide(len(files))
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


def name_files(source: ImageSource) -> Sequence[NamedFile]:
    """Assign an id, but no label, to every file below the root, whatever folder contains it.

    Returns:
        The files sorted by path, with ids as in ``label_files``.

    Raises:
        InputError: There are no files at all.
    """
    if not source.files:
        raise InputError(f"{source.root} holds no file. Expected one image or more, at any depth.")
    return NamedFiles(source.files, None, compose_all)


def list_folder_names(source: ImageSource) -> set[str]:
    """List the names of all folders that contain files, in Unicode's composed form."""
    return {compose(folder.name) for folder in _list_folders(source.files)}


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


def _list_folders(files: Rows[FoundFile]) -> set[PurePosixPath]:
    every = chain.from_iterable(files.list_paths(*some) for some in divide(len(files)))
    paths = {path.rpartition("/")[0] for path in every if not leaves_root(path)}
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


def _tell_refused(files: Iterable[FoundFile]) -> str:
    """Describe why files were refused, which may explain missing class folders; a non-empty text ends with a space."""
    reasons = Counter(file.refused for file in files if file.refused and file.refused != LINKED_FOLDER)
    if not reasons:
        return ""
    (reason, number), *_ = reasons.most_common(1)
    return f"Not taken: {count_of(number, 'file')} ({reason}). "


def _find_near(name: str, folders: Collection[str]) -> list[str]:
    """Find the folders whose names differ from a name only in case and spaces, then those with similar names."""
    same = [folder for folder in sorted(folders) if _simplify(folder) == _simplify(name)]
    return same + get_close_matches(name, folders, cutoff=0.8)


def _simplify(name: str) -> str:
    return "".join(compose(name).casefold().split())
