"""The pointer in a model's folder, which names the active training."""

import re
from pathlib import Path, PurePosixPath

from leukoscope.core.errors import InputError
from leukoscope.core.storage import write_whole

POINTER = "current"
_PLACE = re.compile(r"[\w-]+/runs/[\w-]+")


def read_pointer(home: Path) -> Path | None:
    """Return the folder of the active training; ``None`` if none was started.

    Args:
        home: The model's folder.

    Raises:
        InputError: The pointer is damaged.
    """
    file = home / POINTER
    try:
        place = file.read_text().strip()
        if not _PLACE.fullmatch(place):
            raise ValueError("it does not name a folder such as holdout/runs/0123456789ab")
    except FileNotFoundError:
        return None
    except (IsADirectoryError, ValueError) as error:
        raise InputError(
            f"The file {file}, which names the training at work, cannot be read: {error}. Remove it; the command that "
            f"trains the model writes it anew, and trains nothing twice."
        ) from error
    return home / PurePosixPath(place)


def write_pointer(home: Path, folder: Path) -> None:
    """Make a training the active one.

    Args:
        home: The model's folder.
        folder: The training's folder inside the model's.
    """
    place = folder.relative_to(home).as_posix()
    write_whole(home / POINTER, lambda path: path.write_text(f"{place}\n"))
