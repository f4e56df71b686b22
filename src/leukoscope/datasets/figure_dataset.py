"""The data set of a figure."""

import io
from pathlib import Path

from kedro_datasets import matplotlib
from PIL import Image

from leukoscope.datasets.files import WholeFile


class FigureDataset(WholeFile, matplotlib.MatplotlibDataset):
    """``matplotlib.MatplotlibDataset``, written atomically, which loads the bytes of its file."""

    def load(self) -> bytes:
        """Read the figure.

        Raises:
            InputError: The figure has not been drawn yet, or is damaged.
        """
        path = Path(str(self._filepath))
        with self.loading_own():
            content = path.read_bytes()
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
            return content
