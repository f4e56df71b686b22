"""The baseline of stain colour alone, on the same test images as the networks'."""

import numpy as np
import pandas as pd

from leukoscope.audit.ladder import make_forest
from leukoscope.features.colour import count_colours
from leukoscope.images.packed import PackedImages

# The baseline that accuracies are compared with.
COLOUR_BASELINE = "colour_histogram"


def predict_by_colour(smears: PackedImages, splits: pd.DataFrame, trees: int, seed: int) -> np.ndarray:
    """Train a forest of randomised trees on the training images' colours, and predict the test images.

    Args:
        smears: The packed images.
        splits: The training and test images.
        trees: Number of trees in the forest.
        seed: Random seed for the trees.

    Returns:
        The predicted class of each test image, in the order of ``splits``.
    """
    train, test = (splits[splits["split"] == name] for name in ("train", "test"))
    forest = make_forest(trees, seed).fit(_see(smears, train), train["label"])
    return forest.predict(_see(smears, test))


def _see(smears: PackedImages, images: pd.DataFrame) -> np.ndarray:
    return count_colours(smears.pixels, smears.rows(images["image_id"]))
