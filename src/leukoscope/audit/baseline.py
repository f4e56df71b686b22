"""What stain colour alone reaches on the very images that networks are tested on."""

import numpy as np
import pandas as pd

from leukoscope.audit.ladder import make_forest
from leukoscope.features.colour import count_colours
from leukoscope.images.packed import PackedImages

# What accuracies are held against.
COLOUR_BASELINE = "colour_histogram"


def predict_by_colour(smears: PackedImages, splits: pd.DataFrame, trees: int, seed: int) -> np.ndarray:
    """Let a forest of randomised trees learn the training images' colours, and predict the test images.

    Args:
        smears: The packed images.
        splits: Which images train and test.
        trees: Of the forest.
        seed: For the trees.

    Returns:
        The class of each test image in the order of ``splits``.
    """
    train, test = (splits[splits["split"] == name] for name in ("train", "test"))
    forest = make_forest(trees, seed).fit(_see(smears, train), train["label"])
    return forest.predict(_see(smears, test))


def _see(smears: PackedImages, images: pd.DataFrame) -> np.ndarray:
    return count_colours(smears.pixels, smears.rows(images["image_id"]))
