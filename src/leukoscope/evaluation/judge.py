"""Evaluate a classifier on images that it was not trained on: metrics with intervals, and how far to trust it."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from leukoscope.evaluation.conformal import form_prediction_sets
from leukoscope.evaluation.intervals import count_groups_with_errors, warn_of_few_groups
from leukoscope.evaluation.outcome import Opinions, Outcome, Screening
from leukoscope.evaluation.predictions import number_predicted, select_split
from leukoscope.evaluation.scoring import Scoring, estimate, score, without_nan
from leukoscope.evaluation.screening import score_malignant
from leukoscope.evaluation.trust import UNLIKE, Calibration


class Judge(NamedTuple):
    """The settings for evaluating a classifier.

    Attributes:
        scoring: The classes, and the settings of the screening view.
        calibration: Learned from validation images; its prediction sets are of the same classes, or absent.
        resamples: Number of bootstrap draws of groups, for metrics that are not a share of images.
        confidence: Confidence level of the intervals.
        seed: Seed of the draws.
    """

    scoring: Scoring
    calibration: Calibration
    resamples: int
    confidence: float
    seed: int

    def score(self, predictions: pd.DataFrame, opinions: pd.DataFrame, split: str) -> dict[str, float | None]:
        """Score the predictions of one split, as ``Scoring.score`` does, with the opinions' screening view."""
        return without_nan(score(self._prepare(predictions, opinions, split)))

    def judge(
        self, predictions: pd.DataFrame, opinions: pd.DataFrame, split: str, groups: pd.Series
    ) -> dict[str, float | None]:
        """Evaluate the predictions of one split.

        Args:
            predictions: The classifier's probabilities, and the predicted class of each image (``predicted``).
            opinions: Opinions on the same images in the same order, with calibrated probabilities, from
                ``form_opinions``.
            split: The split to evaluate.
            groups: The group of each image of the split.

        Returns:
            Every metric of the table by its plain name, without the split's, except those of prediction sets if the
            calibration has none; and the ends of its interval, ``<metric>_low`` and ``<metric>_high``. ``None`` for
            undefined values.
        """
        outcome = self._prepare(predictions, opinions, split)
        reasons = opinions.loc[opinions["split"] == split, "reason"]
        _, calibrated = select_split(opinions, split, self.scoring.class_names)
        judged = replace(
            outcome,
            opinions=Opinions(
                calibrated,
                given=(reasons == "").to_numpy(),
                unlike=reasons.str.startswith(UNLIKE).to_numpy(dtype=bool),
            ),
            sets=self._form_sets(outcome.probabilities),
            groups=groups.to_numpy(),
            seed=self.seed,
        )
        warn_of_few_groups(count_groups_with_errors(judged.hits, groups), f"The {split} images")
        return without_nan(estimate(judged, self.resamples, self.confidence, self.seed))

    def _prepare(self, predictions: pd.DataFrame, opinions: pd.DataFrame, split: str) -> Outcome:
        names = self.scoring.class_names
        _, probabilities = select_split(predictions, split, names)
        labels = predictions.loc[predictions["split"] == split, "label"].to_numpy()
        predicted = number_predicted(predictions, split, names)
        return self.scoring.prepare(labels, probabilities, predicted, self._screen(opinions, split))

    def _screen(self, opinions: pd.DataFrame, split: str) -> Screening:
        _, calibrated = select_split(opinions, split, self.scoring.class_names)
        benign = [list(self.scoring.class_names).index(name) for name in self.scoring.benign]
        return Screening(score_malignant(calibrated, benign), self.calibration.operating_point)

    def _form_sets(self, probabilities: np.ndarray) -> np.ndarray | None:
        learned = self.calibration.nonconformity
        confidence = self.calibration.set_confidence
        return form_prediction_sets(probabilities, learned, confidence) if learned else None
