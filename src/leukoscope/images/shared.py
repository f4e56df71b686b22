"""Sources of images that several processes read: what is sent to each, and kept open there."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from leukoscope.core.errors import InputError
from leukoscope.images.files import FoundFile, ImageSource, ReadFile
from leukoscope.images.naming import NamedFile, list_named
from leukoscope.images.packing_plan import PackingPlan

_LIST = ".files"
TRIES = ".tries"


def share_plan(plan: PackingPlan) -> PackingPlan:
    """Give a plan that means the same in any folder, without its list of files: it is sent with each part."""
    source = copy(plan.source)
    source.__dict__.pop("files", None)
    source.root = plan.source.root.absolute()
    return replace(plan, source=source)


def open_once(plan: PackingPlan) -> PackingPlan:
    """Give a shared plan whose source stays open from one part to the next: an archive's directory is read once."""
    root = plan.source.root
    if not root.exists():
        raise InputError(f"There is no {root} here: the images must be at the same path for all workers.")
    return replace(plan, source=_Open(root, plan.source, _keep_open(plan.source)))


def list_files(part: Path, files: pa.RecordBatch) -> Path:
    """Write the files of a part beside it: through the scheduler, which keeps what it was sent, they would fill it.

    Args:
        part: Where it is kept.
        files: As of ``tabulate``.
    """
    path = part.with_suffix(_LIST)
    with pa.ipc.new_file(str(path), files.schema) as file:
        file.write_batch(files)
    return path


def read_list(path: Path) -> list[NamedFile]:
    """Read the files of a part."""
    with pa.ipc.open_file(path.read_bytes()) as file:
        return list_named(file.get_batch(0))


def remove_lists(folder: Path) -> None:
    """Remove what an earlier run has left of lists and tries: this one begins with all parts anew."""
    for suffix in (_LIST, TRIES):
        for left in folder.glob(f"*{suffix}"):
            left.unlink(missing_ok=True)


class _Open(ImageSource):
    def __init__(self, root: Path, source: ImageSource, read: ReadFile) -> None:
        super().__init__(root)
        self._source = source
        self._read = read

    def _list(self) -> Sequence[FoundFile]:
        return self._source.files

    @contextmanager
    def reading(self) -> Iterator[ReadFile]:
        yield self._read


@dataclass
class _Kept:
    """The one source that a process keeps open.

    Attributes:
        known: What tells it from others, and from another content of the same file.
        read: Reads its files.
        closing: Closes it.
    """

    known: tuple[str, str, int, int]
    read: ReadFile
    closing: ExitStack


_kept: list[_Kept] = []


def _keep_open(source: ImageSource) -> ReadFile:
    facts = source.root.stat()
    known = (type(source).__name__, str(source.root), facts.st_mtime_ns, facts.st_ino)
    if not _kept or _kept[0].known != known:
        while _kept:
            _kept.pop().closing.close()
        closing = ExitStack()
        _kept.append(_Kept(known, closing.enter_context(source.reading()), closing))
    return _kept[0].read
