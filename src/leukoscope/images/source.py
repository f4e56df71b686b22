"""Sources of raw images: a folder, a zip archive or a single file."""

import zipfile
from pathlib import Path

from leukoscope.core.errors import InputError
from leukoscope.core.paths import exists, explain_cut
from leukoscope.images.archives import ZipSource
from leukoscope.images.files import ImageSource
from leukoscope.images.folders import FileSource, FolderSource


def open_source(path: Path, parameter: str = "raw_images") -> ImageSource:
    """Open a folder or a zip archive without reading any of its files.

    Args:
        path: Path of the source.
        parameter: The parameter that sets the path, for messages.

    Raises:
        InputError: The path does not exist, or is neither a folder nor a zip archive.
    """
    expected = (
        f"Expected a folder or a zip that holds one folder of images a class: give it with --params {parameter}=PATH."
    )
    if not exists(path, parameter):
        raise InputError(f"There are no images at {path}. {expected}{explain_cut(path, parameter)}")
    if path.is_dir():
        return FolderSource(path)
    if _is_zip(path):
        return ZipSource(path)
    raise InputError(f"The images at {path} are neither a folder nor a zip. {expected}")


def open_any(path: Path, parameter: str = "images") -> ImageSource:
    """Open a folder, a zip archive or a single image, with or without class folders, without reading any file.

    Args:
        path: Path of the source.
        parameter: The parameter that sets the path, for messages.

    Raises:
        InputError: The path does not exist.
    """
    if exists(path, parameter) and path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise InputError(
            f"There is no image at {path}. Expected an image, or a folder or zip of images: give it with "
            f"--params {parameter}=PATH.{explain_cut(path, parameter)}"
        )
    return ZipSource(path) if _is_zip(path) else FileSource(path)


def _is_zip(path: Path) -> bool:
    return path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))
