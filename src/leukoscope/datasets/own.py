"""Data sets that load what they saved, and refuse content that another run has put in its place."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kedro.io import DatasetError

from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.core.storage import write_whole


class OwnContent:
    """Remembers what this data set saved, and refuses to load anything else from there.

    If this run saved nothing there, any content is loaded. Another run may save the same content.
    """

    _own: str | None = None

    def _identify(self) -> str | None:
        """Return an identifier of the current content; ``None`` if there is none."""
        raise NotImplementedError

    def require_own(self) -> None:
        """Check that the content saved by this data set is still there.

        Raises:
            InputError: The content was removed or replaced.
        """
        if self._own is None or self._identify() == self._own:
            return
        raise InputError(
            f"{self._describe_place()} no longer holds what this run saved there: another run has replaced or removed "
            f"it meanwhile. Run this command again once the other has ended; runs that must work at the same time need "
            f"an environment each (--env)."
        )

    def _describe_place(self) -> str:
        return str(getattr(self, "_filepath", type(self).__name__))

    @contextmanager
    def loading_own(self) -> Iterator[None]:
        """Check the content before and after loading, so that it cannot have been replaced in between.

        Raises:
            InputError: As in ``require_own``; or the content is missing or unreadable, with the remedy.
        """
        self.require_own()
        try:
            with saying_what_to_run(Path(self._describe_place())):
                yield
        finally:
            self.require_own()


@contextmanager
def saying_what_to_run(path: Path) -> Iterator[None]:
    """Translate errors about a missing, damaged or inaccessible file into messages that say how to recreate it.

    Raises:
        InputError: The file is missing, damaged or inaccessible.
    """
    try:
        with telling_damage(path):
            try:
                yield
            except InputError:
                raise
            except DatasetError as error:  # Kedro's own data sets wrap every error
                raise error.__cause__ or error from None
    except DamageError as error:
        # The cause is not an input error, so that this is the innermost input error, which is shown.
        raise DamageError(error.path, error.what, _find_maker(error.path)) from error.__cause__
    except OSError as error:
        path = Path(error.filename or path)
        if isinstance(error, FileNotFoundError):
            raise InputError(f"There is no {path}. {_advise(path)}") from error
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def require_there(path: Path) -> None:
    """Check that a path exists.

    Raises:
        FileNotFoundError: The path does not exist.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _advise(path: Path) -> str:
    command = _find_maker(path)
    return f"Run `{command}` first." if command else "Run what writes it first."


def _find_maker(path: Path) -> str | None:
    from leukoscope.makers import find_maker

    return find_maker(path)


class FileState(NamedTuple):
    """A file's identity, which is quick to compare, and the hash of its content, which is the same for a mere copy.

    Attributes:
        stamp: Facts from the file system that renaming does not change.
        sha256: SHA-256 of the content.
    """

    stamp: tuple[int, int, int, int]
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """Return the state of a file.

        Raises:
            OSError: The file cannot be read.
        """
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls((facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns), digest)


class OwnFile(OwnContent):
    """``OwnContent`` for a data set of a single file."""

    _state: FileState | None = None

    def save_own(self, file: Path, write: Callable[[Path], Any]) -> None:
        """Write the file atomically with ``write``, and remember its state."""
        states = []

        def write_and_look(path: Path) -> None:
            write(path)
            states.append(FileState.of(path))

        write_whole(file, write_and_look)
        self.remember(*states)

    def remember(self, state: FileState) -> None:
        """Remember the state of the file that this data set has just saved."""
        self._own = state.sha256
        self._state = state

    def _find_own(self) -> Path:
        """Find the file that identifies the saved content."""
        return Path(str(self._filepath))  # type: ignore[attr-defined]

    def _identify(self) -> str | None:
        path = self._find_own()
        try:
            facts = path.stat()
            stamp = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if self._state is None or self._state.stamp != stamp:
                self._state = FileState.of(path)
        except FileNotFoundError:
            return None
        return self._state.sha256
