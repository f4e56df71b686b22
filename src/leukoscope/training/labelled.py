"""Images of the packed array with their classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from leukoscope.images.packed import PackedImages
from leukoscope.training.substitution import Substitution


@dataclass(frozen=True)
class LabelledImages:
    """Some rows of the packed array, with their classes and weights.

    Attributes:
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: The selected rows.
        classes: The class index of each selected row.
        weights: The weight of each selected row in the loss.
        substitution: Replaces some of them by generated images; none by default.
        taught: A teacher's probabilities for each of them, ``float32 [rows, classes]``; ``None`` without a teacher.
    """

    pixels: np.ndarray
    rows: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    substitution: Substitution | None = None
    taught: np.ndarray | None = None

    @classmethod
    def from_plan(cls, images: PackedImages, plan: pd.DataFrame, class_names: Sequence[str]) -> Self:
        """Look up the images of a table with ``image_id``, ``label``, ``repeats`` and ``weight``."""
        repeats = plan["repeats"].to_numpy()
        classes = plan["label"].map({name: number for number, name in enumerate(class_names)}).to_numpy()
        return cls(
            images.pixels,
            np.repeat(images.rows(plan["image_id"]), repeats),
            np.repeat(classes, repeats),
            np.repeat(plan["weight"].to_numpy(), repeats),
        )
