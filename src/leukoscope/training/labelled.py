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
    """Some rows of the packed array, with what is known about them.

    Attributes:
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: The rows that are meant.
        classes: The number of the class of each of them.
        weights: The weight of each of them in the loss.
        substitution: Puts generated images in the place of some of them; none by default.
        taught: What a teacher makes of each of them, ``float32 [rows, classes]``; ``None`` where there is none.
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
