"""Errors caused by a user's input, and by damaged files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kedro.io import DatasetError


class InputError(DatasetError, click.ClickException):
    """The user's input cannot be used; the message says what happened, what was expected and how to fix it.

    A ``ClickException``, so that ``kedro run`` prints the message without a traceback, and a ``DatasetError``, so
    that a data set passes it on unchanged. Kedro's catalog wraps it nevertheless; a hook unwraps it.

    The message is a single line: line breaks become spaces, and control characters are escaped.
    """

    def __init__(self, message: str) -> None:
        line = re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*", " ", message)
        super().__init__("".join(sign if sign.isprintable() else _spell(sign) for sign in line))


def _spell(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


class AlarmError(InputError):
    """Everything was computed, and the result is an alarm; the user asked for an exit code of its own for this case."""

    exit_code = 3


class DamageError(InputError):
    """A file that the project wrote was damaged afterwards.

    Args:
        path: The file.
        what: What is wrong with it.
        command: The command that makes it again, if known.
    """

    def __init__(self, path: Path, what: str, command: str | None = None) -> None:
        self.path = path
        self.what = what
        mend = f"run `{command}`" if command else "run again what wrote it"
        super().__init__(f"{path} is damaged ({what}): remove it and {mend}.")


@contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """Name the file that cannot be read, whatever error a library raises.

    Raises:
        DamageError: The file's content cannot be read, or a folder is in its place.
    """
    try:
        yield
    except (InputError, FileNotFoundError, MemoryError, ImportError):
        raise
    except Exception as error:
        # Distinguish damaged content from errors of the disk, which have an error number, and of memory.
        of_disk = isinstance(error, OSError) and error.errno is not None and not path.is_dir()
        if of_disk or "out of memory" in str(error).lower():
            raise
        raise DamageError(path, _describe(path, error)) from error


def _describe(path: Path, error: Exception) -> str:
    if path.is_dir():
        return "a folder is in its place"
    if path.is_file() and not path.stat().st_size:
        return "it is empty"
    return shorten(" ".join(str(error).split()) or type(error).__name__)


def shorten(text: str, longest: int = 200) -> str:
    """Shorten a text for a message, marking the cut with three dots."""
    return text if len(text) <= longest else f"{text[:longest]}..."
