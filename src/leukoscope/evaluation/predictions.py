"""Tables of predictions: one row per image, one probability column per class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukoscope.core.options import plain_name

PREFIX = "probability_"
# The probability of any class but the benign ones.
MALIGNANT_COLUMN = f"{PREFIX}malignant"


def probability_columns(class_names: Sequence[str]) -> list[str]:
    """Return the names of the classes' probability columns, in order."""
    return [PREFIX + plain_name(name) for name in class_names]


def select_split(predictions: pd.DataFrame, split: str, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Select the true classes and probabilities of one split from a table of predictions.

    Returns:
        The number of each image's true class, ``[n]``, and the probabilities, ``[n, classes]``.
    """
    rows = predictions[predictions["split"] == split]
    numbers = pd.Index(class_names).get_indexer(rows["label"])
    return numbers, rows[probability_columns(class_names)].to_numpy()


def number_predicted(predictions: pd.DataFrame, split: str, class_names: Sequence[str]) -> np.ndarray:
    """Return the predicted class numbers of a split's images, ``[n]``, in the order of ``select_split``."""
    return pd.Index(class_names).get_indexer(predictions.loc[predictions["split"] == split, "predicted"])


def tabulate_probabilities(probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Make a prediction table's columns: the likeliest class and each class's probability.

    Args:
        probabilities: ``[n, classes]``.
        class_names: The classes in the order of the columns.
    """
    table = pd.DataFrame(probabilities, columns=probability_columns(class_names))
    table.insert(0, "predicted", np.array(class_names)[probabilities.argmax(axis=1)])
    return table
