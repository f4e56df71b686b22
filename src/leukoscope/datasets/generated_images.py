"""Generated images as a Kedro data set."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from leukoscope.datasets.own import OwnFile
from leukoscope.images.generated import GeneratedImages


class GeneratedImagesDataset(OwnFile, AbstractDataset[GeneratedImages, GeneratedImages]):
    """Generated images with their classes in one file, whole or not at all.

    Args:
        filepath: The file.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> GeneratedImages:
        """Read the file.

        Raises:
            InputError: There is none, it is damaged, or it is not the one that this run saved.
        """
        with self.loading_own():
            return GeneratedImages.load(self._filepath)

    def save(self, data: GeneratedImages) -> None:
        """Write the file."""
        self.save_own(self._filepath, data.save)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
