"""Reader performance in telling malignant from benign fields, and the covariances of these figures over fields.

Ratings are ``[treatments, readers, fields]``: grades on any scale for the area under the ROC curve, and otherwise
whether the reader called the field malignant; truth is whether a field is malignant, boolean ``[fields]``.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from leukoscope.evaluation.intervals import number_groups

Figure = Callable[[np.ndarray, np.ndarray], np.ndarray]


def measure_auc(ratings: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the empirical AUC: how often a malignant field has the higher grade; ties count half.

    Args:
        ratings: ``[..., fields]``.
        truth: ``[fields]``.

    Returns:
        ``[...]``; NaN unless there are fields of both kinds.
    """
    from scipy.stats import rankdata

    positive = int(truth.sum())
    negative = int((~truth).sum())
    if not positive or not negative:
        return np.full(ratings.shape[:-1], np.nan)
    ranks = rankdata(ratings, axis=-1)[..., truth].sum(axis=-1)
    return (ranks - positive * (positive + 1) / 2) / (positive * negative)


def measure_accuracy(ratings: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the share of fields that are correctly called malignant or benign, ``[...]``."""
    return _share((ratings > 0) == truth, np.ones(len(truth), bool))


def measure_sensitivity(ratings: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the share of malignant fields that are called malignant, ``[...]``; NaN if there are none."""
    return _share(ratings > 0, truth)


def measure_specificity(ratings: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the share of benign fields that are called benign, ``[...]``; NaN if there are none."""
    return _share(ratings <= 0, ~truth)


def _share(hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    return hits[..., among].mean(axis=-1) if among.any() else np.full(hits.shape[:-1], np.nan)


FIGURES: Mapping[str, Figure] = {
    "auc": measure_auc,
    "accuracy": measure_accuracy,
    "sensitivity": measure_sensitivity,
    "specificity": measure_specificity,
}


def covary_by_jackknife(ratings: np.ndarray, truth: np.ndarray, figure: Figure, groups: ArrayLike) -> np.ndarray:
    """Estimate the covariances of figures of merit over fields, leaving out each group of fields in turn (jackknife).

    With one field per group this is the jackknife of Obuchowski and Rockette's method (Hillis et al. 2005). Fields of
    one group, such as a patient's, are similar, and are left out together.

    Args:
        ratings: ``[treatments, readers, fields]``.
        truth: ``[fields]``.
        figure: One of ``FIGURES``.
        groups: The group of each field.

    Returns:
        ``[treatments, readers, treatments, readers]``; NaN if all fields of a kind are in one group.
    """
    codes = number_groups(groups)
    count = codes.max() + 1
    shape = ratings.shape[:2]
    left_out = np.stack([figure(ratings[..., codes != group], truth[codes != group]) for group in range(count)])
    apart = (left_out - left_out.mean(axis=0)).reshape(count, -1)
    return ((count - 1) / count * apart.T @ apart).reshape(*shape, *shape)
