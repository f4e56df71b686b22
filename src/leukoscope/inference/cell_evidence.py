"""The cells on which a decision rests, for classifiers that read cells one by one."""

from typing import Any, NamedTuple, TypeGuard

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.cells.crops import cut_out
from leukoscope.cells.masks import decode_mask
from leukoscope.images.decoding import resize
from leukoscope.models.base import Classifier
from leukoscope.models.cell_classifier import CONTRIBUTION, CellClassifier

# The method name of cell maps.
CELLS = "cells"


class WeighedCell(NamedTuple):
    """A cell, and its contribution to an opinion.

    Attributes:
        number: Number of the cell in its field, starting at 1.
        weight: Its weight; the weights of a field's cells add up to 1.
        speaks_for: Its contribution to the score of a class, minus the mean over all classes.
        picture: The field around it, ``uint8 [side, side, 3]``.
    """

    number: int
    weight: float
    speaks_for: float
    picture: np.ndarray


class CellMapper:
    """Maps the cells of a field by how strongly each speaks for a class.

    Args:
        classifier: A classifier with the capability ``cells``.
    """

    method = CELLS

    def __init__(self, classifier: CellClassifier) -> None:
        self._classifier = classifier
        self._last: tuple[np.ndarray, pd.DataFrame] | None = None

    def describe(self, class_name: str) -> str:
        """Describe what its maps show."""
        return f"cells that speak for {class_name}"

    def map_classes(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map how strongly each cell speaks for a class, relative to the strongest.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            classes: The class index for each image, ``[n]``.

        Returns:
            ``float32 [n, height, width]`` from 0 to 1; 0 outside cells, and for cells that speak against the class.
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
        """Read a field's cells, or return the last reading if the field is the same, as for its map and pictures."""
        if self._last is None or not np.array_equal(self._last[0], image):
            self._last = image.copy(), self._classifier.read_cells(image)
        return self._last[1]

    def picture_cells(self, image: np.ndarray, class_name: str, most: int) -> list[WeighedCell]:
        """Picture the cells of a field, strongest evidence for a class first.

        Args:
            image: ``uint8 [height, width, 3]``.
            class_name: Name of the class.
            most: Maximum number of cells.
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
    """Check whether a classifier reads cells one by one, and can compute what each contributes."""
    return CELLS in classifier.capabilities


def list_cells(classifier: CellClassifier, image: np.ndarray) -> list[dict[str, Any]]:
    """List what each cell of a field contributes to the scores, in plain numbers for JSON.

    Args:
        classifier: A classifier with the capability ``cells``.
        image: ``uint8 [height, width, 3]``, RGB.

    Returns:
        For each cell the columns of ``CellClassifier.read_cells`` except its mask, with ``contributions`` by class.
    """
    table = classifier.read_cells(image).drop(columns="mask")
    columns = {f"{CONTRIBUTION}{name}": name for name in classifier.class_names}
    contributions = table[list(columns)].rename(columns=columns).to_dict("records")
    cells = table.drop(columns=list(columns)).to_dict("records")
    return [cell | {"contributions": shares} for cell, shares in zip(cells, contributions, strict=True)]


def weigh_for(cells: pd.DataFrame, class_name: str) -> pd.DataFrame:
    """Add how strongly each cell speaks for a class: its contribution to the score, minus the mean over all classes.

    Args:
        cells: The table that ``CellClassifier.read_cells`` returns.
        class_name: Name of the class.

    Returns:
        The table with a column ``speaks_for``.
    """
    shares = cells.filter(regex=f"^{CONTRIBUTION}")
    return cells.assign(speaks_for=shares[f"{CONTRIBUTION}{class_name}"] - shares.mean(axis=1))
