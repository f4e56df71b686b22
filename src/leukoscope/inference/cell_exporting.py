"""A cell reader as one file: it takes cells that were found and cut out, and finds none itself."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from leukoscope.cells.crops import NEUTRAL
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.inference.exporting import Exporter
from leukoscope.models.cell_classifier import CellClassifier

# Cells per field for comparison with Keras and for quantisation; a file takes any number.
MOST_SLOTS = 32


class CellExporter(Exporter):
    """Writes the network of a cell reader, as ``Exporter`` does for other classifiers.

    The file takes the crops of each field's cells, ``uint8 [n, cells, side, side, 3]``, RGB, for any number of cells; a
    crop of one colour is a free slot, and is ignored.

    Args:
        classifier: The trained classifier.
        temperature: The temperature of its calibration.
        facts: Metadata to store in each file.
        examples: Crops of training fields, as ``CellClassifier.cut_bags`` returns them.

    Raises:
        InputError: As in ``Exporter``.
    """

    input_name = "crops"

    def __init__(
        self, classifier: CellClassifier, temperature: float, facts: Mapping[str, Any], examples: np.ndarray
    ) -> None:
        super().__init__(classifier.network, temperature, facts, examples)
        self._cutting = classifier.cutting

    def describe(self) -> dict[str, Any]:
        """Describe the files' inputs and outputs, and how cells are to be cut out."""
        side = self._cutting.side
        facts = {
            "takes": f"uint8 RGB [n, cells, {side}, {side}, 3]",
            "cutting": self._cutting.describe(),
            "grey": NEUTRAL,
        }
        return super().describe() | facts

    @property
    def _taken(self) -> tuple[int | None, ...]:
        return (None, self._cutting.side, self._cutting.side, 3)

    def _enter(self, taken: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Reshape((-1, self._cutting.side, 3))(taken)


def predict_bags(classifier: CellClassifier, temperature: float, bags: np.ndarray) -> np.ndarray:
    """Predict with Keras what an exported file predicts.

    Args:
        classifier: The trained classifier.
        temperature: The temperature of its calibration.
        bags: ``uint8 [n, cells, side, side, 3]``.

    Returns:
        Calibrated probabilities, ``[n, classes]``.
    """
    strips = bags.reshape(len(bags), -1, *bags.shape[3:])
    return apply_temperature(classifier.network.predict(strips, None, len(strips)).probabilities, temperature)
