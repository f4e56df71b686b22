"""The table of what a classifier's last layer sees of each image."""

import numpy as np
import pandas as pd

_PREFIX = "feature_"


def tabulate(facts: pd.DataFrame, features: np.ndarray) -> pd.DataFrame:
    """Join features, ``[n, channels]``, to the facts of the same images, one column a channel."""
    return facts.join(pd.DataFrame(features, index=facts.index).add_prefix(_PREFIX))


def select(table: pd.DataFrame, split: str | None = None) -> np.ndarray:
    """Select the features of all images, or of one split's, ``[n, channels]``."""
    rows = table if split is None else table[table["split"] == split]
    return rows.filter(regex=f"^{_PREFIX}").to_numpy()
