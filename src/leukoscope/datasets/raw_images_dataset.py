"""A folder or zip of images as a Kedro data set."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from leukoscope.core.paths import read_path
from leukoscope.images.files import ImageSource
from leukoscope.images.source import open_any, open_source


class RawImagesDataset(AbstractDataset[NoReturn, ImageSource]):
    """``RawImagesDataset`` opens a folder or a zip archive of images without reading any.

    Example:
        ```yaml
        raw_images:
          type: leukoscope.datasets.RawImagesDataset
          filepath: data/01_raw/leukemia
        ```
    """

    def __init__(self, *, filepath: str, parameter: str = "raw_images", metadata: dict[str, Any] | None = None) -> None:
        """Creates a new instance of ``RawImagesDataset``.

        Args:
            filepath: Folder or zip archive; a leading ``~`` is the home folder.
            parameter: The parameter that sets the path, for messages.
            metadata: Not used here; plugins such as Kedro-Viz may.
        """
        self._given = filepath
        self._parameter = parameter
        self.metadata = metadata

    @property
    def _filepath(self) -> Path:
        """The path, parsed on access, so that an invalid path does no harm unless it is used."""
        return read_path(self._given, self._parameter)

    def load(self) -> ImageSource:
        """Open the folder or archive.

        Raises:
            InputError: The path is neither a folder nor a zip archive.
        """
        return open_source(self._filepath, self._parameter)

    def save(self, data: NoReturn) -> NoReturn:
        """Raise an error, since raw images are never written.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read only: raw images are never written.")

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._given)}


class AnyImagesDataset(RawImagesDataset):
    """Like ``RawImagesDataset``, but for images without labels: also opens a single file, and folders of any names."""

    def load(self) -> ImageSource:
        """Open the file, folder or archive.

        Raises:
            InputError: The path does not exist.
        """
        return open_any(self._filepath, self._parameter)
