"""The table of each image's features from a classifier's last layer and its results in simple checks."""

import numpy as np
import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.images.field_checks import CHECKS

_PREFIX = "feature_"
CHECK_COLUMNS = [f"check_{check.name}" for check in CHECKS]


def tabulate(facts: pd.DataFrame, features: np.ndarray, checks: np.ndarray) -> pd.DataFrame:
    """Join features and checks to the facts of the same images, one column each.

    Args:
        facts: One row per image.
        features: ``[n, channels]``.
        checks: ``[n, checks]``, from ``check_fields``.
    """
    checked = pd.DataFrame(checks, index=facts.index, columns=CHECK_COLUMNS)
    return facts.join(checked).join(pd.DataFrame(features, index=facts.index).add_prefix(_PREFIX))


def select(table: pd.DataFrame, split: str | None = None) -> np.ndarray:
    """Select the features of all images, or of one split, ``[n, channels]``."""
    return _select_rows(table, split).filter(regex=f"^{_PREFIX}").to_numpy()


def select_checks(table: pd.DataFrame, split: str | None = None) -> np.ndarray:
    """Select the checks of all images, or of one split, ``[n, checks]``.

    Raises:
        InputError: The table has other checks, or none.
    """
    require_checks(table)
    return _select_rows(table, split)[CHECK_COLUMNS].to_numpy()


def require_checks(table: pd.DataFrame) -> None:
    """Check that a table has what out-of-distribution scores need: each image's class and its checks.

    Raises:
        InputError: The table is of another version.
    """
    missing = [name for name in ("label", *CHECK_COLUMNS) if name not in table]
    if missing:
        raise InputError(
            f"The classifier was evaluated by an earlier version, which kept no {', '.join(missing)} of its training "
            f"images, so that nothing can be told to be unlike them. Run `{name_run('evaluation')}` again, and "
            f"for a registered reader `{name_run('promote')}` after it."
        )


def _select_rows(table: pd.DataFrame, split: str | None) -> pd.DataFrame:
    return table if split is None else table[table["split"] == split]
