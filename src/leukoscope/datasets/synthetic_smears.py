"""Synthetic smears as a Kedro data set that replaces raw images."""

import json
import logging
from pathlib import Path
from typing import Any

from leukoscope import __version__
from leukoscope.core.counts import count_of
from leukoscope.core.drawn import MARK
from leukoscope.core.errors import InputError
from leukoscope.core.storage import write_folder_whole
from leukoscope.datasets.raw_images_dataset import RawImagesDataset
from leukoscope.images.source import ImageSource
from leukoscope.synthetic import CLASSES, write_smears

_STAMP = "synthesis.json"
_OURS = (_STAMP, "Original/*/smear-*.jpg")

logger = logging.getLogger(__name__)


class SyntheticSmearsDataset(RawImagesDataset):
    """``SyntheticSmearsDataset`` draws smears if there are none, then opens their folder.

    Smears are drawn once; a stamp in the folder, ``synthesis.json``, records their options, and other options cause
    them to be redrawn. A folder with other content is regarded as the user's and only read. So is any path other than
    the default, to guard against mistyped paths.

    Example:
        ```yaml
        raw_images:
          type: leukoscope.datasets.SyntheticSmearsDataset
          filepath: ${runtime_params:raw_images,data/01_raw/demo}
          default: {filepath: data/01_raw/demo}
          images_per_class: 120
          size: 96
          seed: 0
        ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        images_per_class: int = 120,
        size: int = 96,
        seed: int = 0,
        confounded: bool = False,
        magnification: float = 1.0,
        default: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Creates a new instance of ``SyntheticSmearsDataset``.

        Args:
            filepath: Folder of the smears.
            images_per_class: Number of smears of each class.
            size: Width and height of the smears in pixels.
            seed: Source of all randomness.
            confounded: Let the stain reveal the class, to test the checks that should notice it.
            magnification: Size of the cells relative to the published smears.
            default: Has the ``filepath`` of the only folder to draw to; None: any given folder. Kedro makes it
                absolute, like every entry of that name.
            metadata: Not used here; plugins such as Kedro-Viz may.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._default = default
        self._options: dict[str, Any] = {
            "images_per_class": images_per_class,
            "size": size,
            "seed": seed,
            "confounded": confounded,
            "magnification": magnification,
        }

    def load(self) -> ImageSource:
        """Draw the smears if necessary, and open their folder.

        Raises:
            InputError: The smears must be redrawn, but the folder contains other files or another run is drawing
                them; or a path other than the default does not exist.
        """
        if not self._is_default:
            return super().load()
        if not _is_ours(self._filepath):
            logger.info("%s holds files that were not drawn here: they are used as they are.", self._filepath)
        elif not self._is_current():
            _check_replaceable(self._filepath)
            self._draw()
        return super().load()

    @property
    def _is_default(self) -> bool:
        return self._default is None or Path(self._default["filepath"]).resolve() == self._filepath.resolve()

    def _is_current(self) -> bool:
        stamp = self._filepath / _STAMP
        return stamp.is_file() and stamp.read_text() == self._inscription()

    def _draw(self) -> None:
        drawing = dict(self._options)
        counts = dict.fromkeys(CLASSES, drawing.pop("images_per_class"))

        def draw(folder: Path) -> None:
            write_smears(folder, counts, **drawing)
            (folder / _STAMP).write_text(self._inscription())

        write_folder_whole(self._filepath, draw)
        smears = count_of(self._options["images_per_class"], "smear")
        logger.info("Drew %s of each class in %s.", smears, self._filepath)

    def _inscription(self) -> str:
        return json.dumps({"leukoscope": __version__, "mark": MARK, **self._options}, indent=2) + "\n"

    def _exists(self) -> bool:
        return self._is_default or super()._exists()

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), **self._options}


def _is_ours(folder: Path) -> bool:
    """Check whether smears were drawn to the folder, or may be drawn because it is missing or empty."""
    if folder.is_dir():
        return (folder / _STAMP).is_file() or not any(folder.iterdir())
    return not folder.exists()


def _check_replaceable(folder: Path) -> None:
    """Check that every file in the folder was drawn here and may be replaced.

    Raises:
        InputError: A file was not drawn here.
    """
    files = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()]
    foreign = sorted(str(file) for file in files if not any(file.match(pattern) for pattern in _OURS))
    if foreign:
        raise InputError(
            f"The smears in {folder} were drawn from other options and cannot be drawn anew: {foreign[0]} "
            f"is not one of them ({len(foreign)} such files). Move what is yours, or name another folder."
        )
