"""Judging a classifier on images that it has not learned from: figures, their intervals, and how far to trust it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from leukoscope.models.intervals import estimate_figures, warn_of_few_groups
from leukoscope.models.scoring import Scoring, number_called, select_split
from leukoscope.models.trust import (
    UNLIKE,
    Calibration,
    form_prediction_sets,
    score_prediction_sets,
    score_trust,
)
from leukoscope.options import plain_name


class Judge(NamedTuple):
    """How a classifier is judged.

    Attributes:
        scoring: Classes, and what the screening view needs.
        calibration: Learned from validation images.
        resamples: Draws of groups for the intervals.
        confidence: Of the intervals.
        set_confidence: How often a prediction set is to hold the true class.
        seed: For the draws.
    """

    scoring: Scoring
    calibration: Calibration
    resamples: int
    confidence: float
    set_confidence: float
    seed: int

    def judge(
        self, predictions: pd.DataFrame, opinions: pd.DataFrame, split: str, groups: pd.Series
    ) -> dict[str, float | None]:
        """Judge the predictions of one split.

        Args:
            predictions: Probabilities as the classifier gives them, and what it calls each image (``predicted``).
            opinions: The same images in the same order, with calibrated probabilities, as ``form_opinions`` has them.
            split: Which of them.
            groups: The group of each of these.

        Returns:
            Figures by their plain names, without the split's: ``groups`` (their number); the ends of the intervals of
            headline figures, ``<metric>_low`` and ``<metric>_high``; calibration and withheld opinions, as
            ``score_trust`` has them; ``unlike`` (share flagged as unlike the training images);
            ``set_coverage_<class>`` and ``set_size`` of prediction sets, unless the calibration has none. ``None``
            where a figure is undefined.
        """
        names = self.scoring.class_names
        rows = predictions[predictions["split"] == split]
        truth, given = select_split(predictions, split, names)
        _, calibrated = select_split(opinions, split, names)
        called = number_called(predictions, split, names)
        headline = self.scoring.prepare(rows["label"].to_numpy(), given, called)
        estimates = estimate_figures(
            headline.score, groups, self.resamples, self.confidence, self.seed, headline.shares
        )
        warn_of_few_groups(groups.nunique(), f"The {split} images")
        figures = {"groups": groups.nunique()}
        figures |= {f"{name}_low": one.low for name, one in estimates.items()}
        figures |= {f"{name}_high": one.high for name, one in estimates.items()}
        reasons = opinions.loc[opinions["split"] == split, "reason"].to_numpy()
        figures |= score_trust(truth, given, calibrated, reasons == "", called)
        figures["unlike"] = np.mean([reason.startswith(UNLIKE) for reason in reasons])
        if self.calibration.nonconformity:
            figures |= self._judge_sets(truth, given)
        return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}

    def _judge_sets(self, truth: np.ndarray, given: np.ndarray) -> dict[str, float]:
        sets = form_prediction_sets(given, self.calibration.nonconformity, self.set_confidence)
        covered, size = score_prediction_sets(truth, sets)
        names = [f"set_coverage_{plain_name(name)}" for name in self.scoring.class_names]
        return dict(zip(names, covered, strict=True)) | {"set_size": size}
