"""Which cells a decision rests on, for classifiers that read them one by one."""

from typing import Any, NamedTuple, TypeGuard

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.cells.crops import cut_out
from leukoscope.cells.masks import decode_mask
from leukoscope.images.decoding import resize
from leukoscope.models.base import Classifier
from leukoscope.models.cell_classifier import CONTRIBUTION, CellClassifier

# What maps of cells are called.
CELLS = "cells"


class WeighedCell(NamedTuple):
    """A cell, and what it has to do with an opinion.

    Attributes:
        number: Of the cell in its field, from 1 on.
        weight: Of all its field's cells together, which have 1.
        speaks_for: What it adds to the score of a class, less the mean over all classes.
        picture: The field around it, ``uint8 [side, side, 3]``.
    """

    number: int
    weight: float
    speaks_for: float
    picture: np.ndarray


class CellMapper:
    """Shows the cells of a field by how far each speaks for a class.

    Args:
        classifier: With the capability ``cells``.
    """

    method = CELLS

    def __init__(self, classifier: CellClassifier) -> None:
        self._classifier = classifier
        self._last: tuple[np.ndarray, pd.DataFrame] | None = None

    def describe(self, class_name: str) -> str:
        """Say what its maps show."""
        return f"cells that speak for {class_name}"

    def map_classes(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map how far each cell speaks for a class, in parts of the one that does so most.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            classes: The number of a class for each, ``[n]``.

        Returns:
            ``float32 [n, height, width]`` from 0 to 1; 0 where no cell is, and where one speaks against the class.
        """
        names = self._classifier.class_names
        return np.stack([self._map_field(image, names[number]) for image, number in zip(pixels, classes, strict=True)])

    def _map_field(self, image: np.ndarray, class_name: str) -> np.ndarray:
        cells = weigh_for(self._read(image), class_name)
        side = self._classifier.image_size
        heat = np.zeros((side, side), np.float32)
        speaking = cells[cells["speaks_for"] > 0]
        for cell in speaking.to_dict("records"):
            heat[decode_mask(cell["mask"], side, side)] = cell["speaks_for"] / speaking["speaks_for"].max()
        height, width = image.shape[:2]
        if (height, width) == heat.shape:
            return heat
        return np.asarray(Image.fromarray(heat).resize((width, height), Image.Resampling.NEAREST))

    def _read(self, image: np.ndarray) -> pd.DataFrame:
        """Read a field's cells, or give what was read last: a map and the pictures are of the same field."""
        if self._last is None or not np.array_equal(self._last[0], image):
            self._last = image.copy(), self._classifier.read_cells(image)
        return self._last[1]

    def picture_cells(self, image: np.ndarray, class_name: str, most: int) -> list[WeighedCell]:
        """Picture the cells of a field, first those that speak most for a class.

        Args:
            image: ``uint8 [height, width, 3]``.
            class_name: Of the class.
            most: How many cells at most.
        """
        cells = weigh_for(self._read(image), class_name)
        field = resize(image, self._classifier.image_size)
        side = self._classifier.cutting.side
        first = cells.sort_values("speaks_for", ascending=False, kind="stable").head(most)
        return [
            WeighedCell(cell["cell"], cell["weight"], cell["speaks_for"], cut_out(field, cell, side, neutral=False))
            for cell in first.to_dict("records")
        ]


def tells_cells(classifier: Classifier) -> TypeGuard[CellClassifier]:
    """Tell whether a classifier reads cells one by one, and can say what each adds."""
    return CELLS in classifier.capabilities


def list_cells(classifier: CellClassifier, image: np.ndarray) -> list[dict[str, Any]]:
    """Say of each cell of a field what it adds to the scores, in plain numbers, as JSON has them.

    Args:
        classifier: With the capability ``cells``.
        image: ``uint8 [height, width, 3]``, RGB.

    Returns:
        Of each cell what ``CellClassifier.read_cells`` has, but for its mask; ``contributions`` by class.
    """
    table = classifier.read_cells(image).drop(columns="mask")
    columns = {f"{CONTRIBUTION}{name}": name for name in classifier.class_names}
    contributions = table[list(columns)].rename(columns=columns).to_dict("records")
    cells = table.drop(columns=list(columns)).to_dict("records")
    return [cell | {"contributions": shares} for cell, shares in zip(cells, contributions, strict=True)]


def weigh_for(cells: pd.DataFrame, class_name: str) -> pd.DataFrame:
    """Add how far each cell speaks for a class: what it adds to its score, less the mean over all classes.

    Args:
        cells: As ``CellClassifier.read_cells`` gives them.
        class_name: Of the class.

    Returns:
        The same with ``speaks_for``.
    """
    shares = cells.filter(regex=f"^{CONTRIBUTION}")
    return cells.assign(speaks_for=shares[f"{CONTRIBUTION}{class_name}"] - shares.mean(axis=1))
