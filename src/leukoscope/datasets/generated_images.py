"""Generated images as a Kedro data set."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from leukoscope.datasets.own import OwnFile
from leukoscope.images.generated import GeneratedImages


class GeneratedImagesDataset(OwnFile, AbstractDataset[GeneratedImages, GeneratedImages]):
    """Generated images with their classes in one file, written atomically.

    Args:
        filepath: The file.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> GeneratedImages:
        """Read the file.

        Raises:
            InputError: The file is missing or damaged, or another run has replaced it.
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
