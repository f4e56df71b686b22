"""Agreement between reviewers and a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation.inter_rater import measure_cohen_kappa, number_classes
from leukoscope.evaluation.intervals import Estimate, estimate_figures, estimate_share
from leukoscope.evaluation.trust import ABSTAINED

AGREE = "agree"
DISAGREE = "disagree"
NOT_ASSESSABLE = "not assessable"


def select_newest(reviews: pd.DataFrame) -> pd.DataFrame:
    """Keep the last review per image, model and reviewer; ``reviews`` must be sorted oldest first."""
    return reviews.drop_duplicates(["sha256", "model_fingerprint", "reviewer"], keep="last")


def measure_agreement(
    reviews: pd.DataFrame, class_names: Sequence[str], resamples: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Measure the agreement between reviewers and one model.

    Args:
        reviews: One row per review: ``sha256``, ``opinion``, ``likeliest``, ``verdict``, ``reviewer_class``.
        class_names: The model's classes, in the order of the confusion table.
        resamples: Number of bootstrap draws of images for the intervals; all reviews of an image are drawn together.
        confidence: Confidence level of the intervals.
        seed: Seed of the bootstrap.

    Returns:
        The figures of ``_measure``, once for ``all`` reviews and once for those ``with_opinion``.
    """
    with_opinion = reviews[reviews["opinion"] != ABSTAINED]
    chosen = {"all": reviews, "with_opinion": with_opinion}
    return {name: _measure(rows, class_names, resamples, confidence, seed) for name, rows in chosen.items()}


def _measure(
    reviews: pd.DataFrame, class_names: Sequence[str], resamples: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Compute counts of reviews and images, shares, Cohen's kappa, and the confusion of likeliest and reviewed class.

    Agreement and kappa use assessable reviews only; undefined values are ``None``.
    """
    assessable = reviews[reviews["verdict"] != NOT_ASSESSABLE]
    figures: dict[str, Any] = {
        "reviews": len(reviews),
        "images": reviews["sha256"].nunique(),
        "not_assessable": 1 - len(assessable) / len(reviews) if len(reviews) else None,
    }
    model = assessable["likeliest"].to_numpy(str)
    reviewer = assessable["reviewer_class"].to_numpy(str)
    estimates = dict.fromkeys(("agreement", "cohen_kappa"), Estimate.undefined())
    names = list(dict.fromkeys([*class_names, *model, *reviewer]))
    if len(assessable):
        numbers = number_classes(model, names), number_classes(reviewer, names)
        images = assessable["sha256"].to_numpy()
        estimates = {"agreement": estimate_share(model == reviewer, images, confidence)} | estimate_figures(
            lambda weights: {"cohen_kappa": measure_cohen_kappa(*numbers, weights, len(names))},
            images,
            resamples,
            confidence,
            seed,
        )
    for name, estimate in estimates.items():
        figures |= estimate.tabulate(name)
    figures["confusion"] = {
        predicted: {reviewed: int(np.sum((model == predicted) & (reviewer == reviewed))) for reviewed in names}
        for predicted in names
    }
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in figures.items()}
