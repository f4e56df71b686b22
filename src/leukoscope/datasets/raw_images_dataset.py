"""A folder or zip of images as a Kedro data set."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from leukoscope.core.paths import read_path
from leukoscope.images.files import ImageSource
from leukoscope.images.source import open_any, open_source


class RawImagesDataset(AbstractDataset[NoReturn, ImageSource]):
    """``RawImagesDataset`` opens a folder or a zip archive of images, of which it reads none.

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
            parameter: What sets the path, for messages.
            metadata: Not used here; plugins such as Kedro-Viz may.
        """
        self._given = filepath
        self._parameter = parameter
        self.metadata = metadata

    @property
    def _filepath(self) -> Path:
        """The path, read only when it is needed, so that one that is not asked for may be wrong."""
        return read_path(self._given, self._parameter)

    def load(self) -> ImageSource:
        """Open the folder or archive.

        Raises:
            InputError: There is neither a folder nor a zip archive at the path.
        """
        return open_source(self._filepath, self._parameter)

    def save(self, data: NoReturn) -> NoReturn:
        """Raw images are never written.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read only: raw images are never written.")

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._given)}


class AnyImagesDataset(RawImagesDataset):
    """Like ``RawImagesDataset``, of images without labels: a single file too, and folders of any names."""

    def load(self) -> ImageSource:
        """Open the file, folder or archive.

        Raises:
            InputError: There is nothing at the path.
        """
        return open_any(self._filepath, self._parameter)
