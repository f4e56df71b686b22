"""What a weights file says of the pixels that its network was trained on. Imports no Keras."""

from pathlib import Path

PIXELS = "leukoscope_pixels"


def mark_pixels(path: Path, mode: str) -> None:
    """Write into a ``.weights.h5`` file how pixels were scaled for its weights, which Keras does not read.

    Args:
        path: The file.
        mode: Of Keras' preprocessing: ``caffe``, ``tf`` or ``torch``.
    """
    import h5py

    with h5py.File(path, "a") as file:
        file.attrs[PIXELS] = mode


def find_pixels(path: Path) -> str | None:
    """Give the mode that a weights file was marked with; ``None`` where it says nothing, or is no such file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get(PIXELS)
    except OSError:
        return None
