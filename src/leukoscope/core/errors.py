"""The errors that a user's input can cause, and files that were damaged."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kedro.io import DatasetError


class InputError(DatasetError, click.ClickException):
    """What the user gave cannot be used: the message says what happened, what was expected and how to mend it.

    A ``ClickException``, so that ``kedro run`` prints the message without a traceback, and a ``DatasetError``, so
    that a data set passes it on as it is. Kedro's catalog wraps it all the same; a hook unwraps it.

    The message is one line, whatever names it has: line breaks are spaces, and what a terminal would act on is spelled.
    """

    def __init__(self, message: str) -> None:
        line = re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*", " ", message)
        super().__init__("".join(sign if sign.isprintable() else _spell(sign) for sign in line))


def _spell(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


class AlarmError(InputError):
    """All was computed, and what it came to is an alarm, for which somebody asked for an exit code of its own."""

    exit_code = 3


class DamageError(InputError):
    """A file that the project wrote is not as it was written.

    Args:
        path: The file.
        what: What is wrong with it.
        command: What makes it anew, where that is known.
    """

    def __init__(self, path: Path, what: str, command: str | None = None) -> None:
        self.path = path
        self.what = what
        mend = f"run `{command}`" if command else "run again what wrote it"
        super().__init__(f"{path} is damaged ({what}): remove it and {mend}.")


@contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """Say which file cannot be read, whatever a library makes of that.

    Raises:
        DamageError: It cannot be read for what is in it, or a folder is in its place.
    """
    try:
        yield
    except (InputError, FileNotFoundError, MemoryError, ImportError):
        raise
    except Exception as error:
        # What is wrong with a file's content is no fault of the disk, which has a number, and none of the memory.
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
    """Cut a text for a message, and say by three dots that it was cut."""
    return text if len(text) <= longest else f"{text[:longest]}..."
