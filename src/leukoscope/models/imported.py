"""Pixel scaling recorded in weights files. Imports no Keras."""

from pathlib import Path

PIXELS = "leukoscope_pixels"


def mark_pixels(path: Path, mode: str) -> None:
    """Record in a ``.weights.h5`` file how pixels were scaled for its weights; Keras does not read this.

    Args:
        path: The file.
        mode: Keras preprocessing mode: ``caffe``, ``tf`` or ``torch``.
    """
    import h5py

    with h5py.File(path, "a") as file:
        file.attrs[PIXELS] = mode


def find_pixels(path: Path) -> str | None:
    """Return the mode recorded in a weights file; ``None`` if it has none, or is not such a file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get(PIXELS)
    except OSError:
        return None
