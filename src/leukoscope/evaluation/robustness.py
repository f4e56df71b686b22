"""Metrics of images under changes such as blur or other stain."""

from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation import intervals
from leukoscope.evaluation.calibration import measure_calibration_error
from leukoscope.evaluation.certificate import Certificates
from leukoscope.images.circumstances import VERSION

UNCHANGED = "none"


class ChangeScorer:
    """Scores the same images under several changes, one after another.

    Args:
        truth: The number of each image's class, ``[n]``.
        groups: The group of each image, ``[n]``.
        confidence: Confidence level of the intervals.
    """

    def __init__(self, truth: np.ndarray, groups: pd.Series, confidence: float) -> None:
        self._truth = truth
        self._groups = groups
        self._confidence = confidence
        self._rows: list[dict[str, Any]] = []
        self._hits: dict[str, list[np.ndarray]] = {}

    def add(
        self,
        name: str,
        level: float,
        unit: str,
        probabilities: np.ndarray,
        calibrated: np.ndarray,
        unlike: np.ndarray,
    ) -> None:
        """Score the images under a change at one strength.

        Args:
            name: Name of the change, or ``UNCHANGED``.
            level: Strength of the change.
            unit: Unit of the strength.
            probabilities: The classifier's output, ``[n, classes]``.
            calibrated: The probabilities after temperature scaling, ``[n, classes]``.
            unlike: Which images are flagged as unlike the training images, boolean ``[n]``.
        """
        hits = probabilities.argmax(axis=1) == self._truth
        accuracy = intervals.estimate_share(hits, self._groups, self._confidence)
        self._hits.setdefault(name, []).append(hits)
        self._rows.append(
            {
                "perturbation": name,
                "level": level,
                "unit": unit,
                "images": len(hits),
                "accuracy": accuracy.value,
                "low": accuracy.low,
                "high": accuracy.high,
                "calibrated_ece": measure_calibration_error(self._truth, calibrated),
                "unlike": float(unlike.mean()),
            }
        )

    def tabulate(self) -> pd.DataFrame:
        """Return one row per change and strength, in the order in which they were added."""
        return pd.DataFrame(self._rows)

    def summarise(self) -> dict[str, float | None]:
        """Compute ``test_robust_accuracy``, the mean over changes of the mean over their strengths, with its interval.

        Each image counts as the share of strengths at which it is right, so the interval is by groups.
        """
        by_change = [np.mean(hits, axis=0) for name, hits in self._hits.items() if name != UNCHANGED]
        robust = intervals.estimate_share(np.mean(by_change, axis=0), self._groups, self._confidence)
        figures = robust.tabulate("test_robust_accuracy")
        return {name: None if np.isnan(value) else value for name, value in figures.items()}

    def certify(self, probabilities: np.ndarray, certificates: Certificates) -> dict[str, float | None]:
        """Compute how many images are certified, and the accuracy of predictions with and without a certificate.

        Args:
            probabilities: The classifier's output on the unchanged images, ``[n, classes]``.
            certificates: The certificate of each prediction.

        Returns:
            ``test_certified`` (share of images whose class no change alters), ``test_certified_stain`` and so on (no
            change of that group), ``test_accuracy_certified`` and ``test_accuracy_not_certified``, each with its
            interval; ``None`` if there are no such images. Also ``certificate_version``, the version of the changes.
        """
        hits = probabilities.argmax(axis=1) == self._truth
        certified = certificates.certified
        groups = np.asarray(self._groups)
        shares = {
            "test_certified": (certified, groups),
            **{f"test_certified_{name}": (~flips, groups) for name, flips in certificates.flips.items()},
            "test_accuracy_certified": (hits[certified], groups[certified]),
            "test_accuracy_not_certified": (hits[~certified], groups[~certified]),
        }
        figures: dict[str, float | None] = {"certificate_version": VERSION}
        for name, (unturned, groups) in shares.items():
            estimate = intervals.estimate_share(unturned, groups, self._confidence)
            figures |= {key: None if np.isnan(value) else value for key, value in estimate.tabulate(name).items()}
        return figures
