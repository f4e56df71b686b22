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
    """Shows the cells of a field by their weight in the decision.

    Args:
        classifier: With the capability ``cells``.
    """

    method = CELLS

    def __init__(self, classifier: CellClassifier) -> None:
        self._classifier = classifier
        self._last: tuple[np.ndarray, pd.DataFrame] | None = None

    def describe(self, class_name: str) -> str:
        """Say what its maps show; the weights are the same for each class."""
        return "cells by their weight"

    def map_classes(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map the weight of each cell, in parts of the largest of its field.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            classes: Not used.

        Returns:
            ``float32 [n, height, width]`` from 0 to 1; 0 where no cell is.
        """
        return np.stack([self._map_field(image) for image in pixels])

    def _map_field(self, image: np.ndarray) -> np.ndarray:
        cells, side = self._read(image), self._classifier.image_size
        heat = np.zeros((side, side), np.float32)
        largest = cells["weight"].max() or 1.0  # crops of one colour are free slots, and weigh nothing
        for cell in cells.to_dict("records"):
            heat[decode_mask(cell["mask"], side, side)] = cell["weight"] / largest
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
        """Picture the cells of a field, the heaviest first.

        Args:
            image: ``uint8 [height, width, 3]``.
            class_name: Whose score is told.
            most: How many cells at most.
        """
        cells = weigh_for(self._read(image), class_name)
        field, side = resize(image, self._classifier.image_size), self._classifier.cutting.side
        heaviest = cells.sort_values("weight", ascending=False, kind="stable").head(most)
        return [
            WeighedCell(cell["cell"], cell["weight"], cell["speaks_for"], cut_out(field, cell, side, neutral=False))
            for cell in heaviest.to_dict("records")
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
