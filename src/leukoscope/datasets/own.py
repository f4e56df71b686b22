"""Data sets that load what they saved, and refuse what another run has put in its place."""

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

    What nothing was saved to by this run is loaded as it is. A save of the same content by another run changes nothing.
    """

    _own: str | None = None

    def _identify(self) -> str | None:
        """Tell the content that is there from any other; ``None``: nothing is there."""
        raise NotImplementedError

    def require_own(self) -> None:
        """Make sure that what this data set saved is still there.

        Raises:
            InputError: It is gone, or something else is there.
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
        """Load between two looks: what was there before and is there after has been there meanwhile.

        Raises:
            InputError: As of ``require_own``; or there is nothing, or nothing that can be read, and how to mend that.
        """
        self.require_own()
        try:
            with saying_what_to_run(Path(self._describe_place())):
                yield
        finally:
            self.require_own()


@contextmanager
def saying_what_to_run(path: Path) -> Iterator[None]:
    """Say of a file that is missing, damaged or out of reach what is wrong with it, and what makes it anew.

    Raises:
        InputError: It is.
    """
    try:
        with telling_damage(path):
            try:
                yield
            except InputError:
                raise
            except DatasetError as error:  # Kedro's own data sets wrap whatever goes wrong
                raise error.__cause__ or error from None
    except DamageError as error:
        # The cause is no input error: whoever shows the innermost one shows this.
        raise DamageError(error.path, error.what, _find_maker(error.path)) from error.__cause__
    except OSError as error:
        path = Path(error.filename or path)
        if isinstance(error, FileNotFoundError):
            raise InputError(f"There is no {path}. {_advise(path)}") from error
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def require_there(path: Path) -> None:
    """Make sure that there is something.

    Raises:
        FileNotFoundError: There is nothing.
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
    """A file's identity, quick to compare, and the hash of its content, which tells a mere copy from another content.

    Attributes:
        stamp: Of the file system: these stay when the file is renamed.
        sha256: Of the content.
    """

    stamp: tuple[int, int, int, int]
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """Look at a file.

        Raises:
            OSError: It cannot be read.
        """
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls((facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns), digest)


class OwnFile(OwnContent):
    """The same for a data set of one file."""

    _state: FileState | None = None

    def save_own(self, file: Path, write: Callable[[Path], Any]) -> None:
        """Let ``write`` fill the file, whole or not at all, and remember what it wrote."""
        states = []

        def write_and_look(path: Path) -> None:
            write(path)
            states.append(FileState.of(path))

        write_whole(file, write_and_look)
        self.remember(*states)

    def remember(self, state: FileState) -> None:
        """Keep how the file is that this data set has just saved."""
        self._own = state.sha256
        self._state = state

    def _find_own(self) -> Path:
        """Find the file that tells what was saved from anything else."""
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
