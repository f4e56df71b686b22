"""Judging a classifier on images that it has not learned from: figures, their intervals, and how far to trust it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from leukoscope.core.options import plain_name
from leukoscope.evaluation.conformal import form_prediction_sets
from leukoscope.evaluation.intervals import (
    Estimate,
    count_groups_with_errors,
    estimate_figures,
    estimate_share,
    warn_of_few_groups,
)
from leukoscope.evaluation.metrics import Shares
from leukoscope.evaluation.predictions import Scoring, Screening, number_called, select_split
from leukoscope.evaluation.screening import score_malignant
from leukoscope.evaluation.trust import UNLIKE, Calibration, TrustFigures


class Judge(NamedTuple):
    """How a classifier is judged.

    Attributes:
        scoring: Classes, and what the screening view needs.
        calibration: Learned from validation images; its prediction sets are of the same classes, or there are none.
        resamples: Draws of groups for the intervals of figures that are no share of images.
        confidence: Of the intervals.
        seed: For the draws.
    """

    scoring: Scoring
    calibration: Calibration
    resamples: int
    confidence: float
    seed: int

    def score(self, predictions: pd.DataFrame, opinions: pd.DataFrame, split: str) -> dict[str, float | None]:
        """Score the predictions of one split, as ``Scoring.score`` does, with the screening's view of the opinions."""
        names = self.scoring.class_names
        _, probabilities = select_split(predictions, split, names)
        labels = predictions.loc[predictions["split"] == split, "label"].to_numpy()
        called = number_called(predictions, split, names)
        return self.scoring.score(labels, probabilities, called, self._screen(opinions, split))

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
            Figures by their plain names, without the split's: what ``score`` and ``TrustFigures`` have, ``unlike``
            (share flagged as unlike the training images), ``set_coverage_<class>``, ``set_coverage``, ``set_empty``
            and ``set_size`` of prediction sets, unless the calibration has none; of each figure the ends of its
            interval, ``<metric>_low`` and ``<metric>_high``; ``groups`` (their number), ``error_groups`` (those with an
            error). ``None`` where a figure is undefined.
        """
        rows = predictions[predictions["split"] == split]
        truth, probabilities = select_split(predictions, split, self.scoring.class_names)
        _, calibrated = select_split(opinions, split, self.scoring.class_names)
        called = number_called(predictions, split, self.scoring.class_names)
        labels, reasons = rows["label"].to_numpy(), opinions.loc[opinions["split"] == split, "reason"]
        headline = self.scoring.prepare(labels, probabilities, called, self._screen(opinions, split))
        malignant, given = self.scoring.is_malignant(labels), (reasons == "").to_numpy()
        trust = TrustFigures(truth, probabilities, calibrated, given, malignant, self.scoring.prevalence, called)
        sets = self._form_sets(probabilities)
        unlike = reasons.str.startswith(UNLIKE).to_numpy(dtype=bool)
        shares = headline.shares | trust.shares | {"unlike": (unlike, np.ones(len(truth), bool))}
        shares |= self._list_set_shares(truth, sets)
        estimates = self._estimate_shares(shares, groups.to_numpy()) | estimate_figures(
            lambda weights: headline.score(weights) | trust.score(weights) | _measure_sets(sets, weights),
            groups,
            self.resamples,
            self.confidence,
            self.seed,
            trust.inflated,
        )
        error_groups = count_groups_with_errors(called == truth, groups)
        warn_of_few_groups(error_groups, f"The {split} images")
        figures = {"images": len(rows), "groups": groups.nunique(), "error_groups": error_groups} | headline.support
        for name, estimate in estimates.items():
            figures |= estimate.tabulate(name)
        for end in ("", "_low", "_high"):
            figures |= headline.combine(figures, end)
        figures |= trust.simulate_calibrated(self.seed)
        return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}

    def _screen(self, opinions: pd.DataFrame, split: str) -> Screening:
        _, calibrated = select_split(opinions, split, self.scoring.class_names)
        benign = [list(self.scoring.class_names).index(name) for name in self.scoring.benign]
        return Screening(score_malignant(calibrated, benign), self.calibration.operating_point)

    def _form_sets(self, probabilities: np.ndarray) -> np.ndarray | None:
        learned, confidence = self.calibration.nonconformity, self.calibration.set_confidence
        return form_prediction_sets(probabilities, learned, confidence) if learned else None

    def _list_set_shares(self, truth: np.ndarray, sets: np.ndarray | None) -> Shares:
        if sets is None:
            return {}
        every, covered = np.ones(len(truth), bool), sets[np.arange(len(truth)), truth]
        empty = np.logical_not(sets.any(axis=1))
        shares: Shares = {"set_coverage": (covered, every), "set_empty": (empty, every)}
        for number, name in enumerate(self.scoring.class_names):
            shares[f"set_coverage_{plain_name(name)}"] = covered, truth == number
        return shares

    def _estimate_shares(self, shares: Shares, groups: np.ndarray) -> dict[str, Estimate]:
        return {
            name: estimate_share(hits[some], groups[some], self.confidence) for name, (hits, some) in shares.items()
        }


def _measure_sets(sets: np.ndarray | None, weights: np.ndarray) -> dict[str, float]:
    return {} if sets is None else {"set_size": float(np.average(sets.sum(axis=1), weights=weights))}
