"""The figures that deserve an interval, computed by scikit-learn again and again for other weights of the images."""

from collections.abc import Sequence

import numpy as np
import sklearn
from sklearn import metrics


class Headline:
    """Figures over all classes, and of benign against malignant.

    A figure that needs a class without images is NaN, on all images as in a draw of some: means over the classes need
    every one of them, and agreement beyond chance needs two.

    Args:
        truth: The number of each image's class, ``[n]``.
        called: The number of the class that each is called, ``[n]``.
        probabilities: ``[n, classes]``.
        malignant: The numbers of the malignant classes.
        prevalence: The share of malignant fields where predictive values are to hold.
    """

    def __init__(
        self,
        truth: np.ndarray,
        called: np.ndarray,
        probabilities: np.ndarray,
        malignant: Sequence[int],
        prevalence: float,
    ) -> None:
        self._classes = probabilities.shape[1]
        self._truth, self._called, self._prevalence = truth, called, prevalence
        self._ill, self._called_ill = np.isin(truth, malignant), np.isin(called, malignant)
        # One row a class against the rest, and the screening's as the last one.
        self._is = np.vstack([truth == np.arange(self._classes)[:, None], self._ill]).astype(int)
        self._scores = np.vstack([probabilities.T, probabilities[:, malignant].sum(axis=1)])

    @property
    def shares(self) -> dict[str, np.ndarray]:
        """The figures that are a share of images, and of which images, boolean ``[n]``."""
        return {
            "accuracy": np.ones(len(self._truth), bool),
            "screening_sensitivity": self._ill,
            "screening_specificity": ~self._ill,
            "screening_ppv": self._called_ill,
            "screening_npv": ~self._called_ill,
        }

    def score(self, weights: np.ndarray) -> dict[str, float]:
        """Score the images with some weights, ``[n]``: figures by their plain names."""
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            by_class = self.score_classes(weights)
            auc, auprc = self.rank(weights)
            return {
                "accuracy": share(self._truth == self._called, weights),
                "balanced_accuracy": float(by_class["sensitivity"].mean()),
                "macro_f1": float(by_class["f1"].mean()),
                **self._agree(weights),
                "auc": float(auc[:-1].mean()),
                "auprc": float(auprc[:-1].mean()),
                **self._screen(weights),
                "screening_auc": float(auc[-1]),
                "screening_auprc": float(auprc[-1]),
            }

    def score_classes(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Score each class against all others: ``precision``, ``sensitivity``, ``f1``, ``support``, ``[classes]`` each.

        NaN where a class has no images, the precision also where there are no others, or none is called it.
        """
        truth, called, counts = self._count(weights)
        precision, sensitivity, f1, _ = metrics.precision_recall_fscore_support(
            truth, called, labels=range(self._classes), sample_weight=counts, zero_division=np.nan
        )
        support = np.bincount(truth, counts, minlength=self._classes)
        there = support > 0
        return {
            "precision": np.where(there & (support < support.sum()), precision, np.nan),
            "sensitivity": sensitivity,
            "f1": np.where(there, f1, np.nan),
            "support": support,
        }

    def score_rejection(self) -> dict[str, np.ndarray]:
        """Score how each class is told not to be there: ``specificity`` and ``npv``, ``[classes]`` each.

        NaN where there are no images of other classes, or none is called another; ``npv`` also without images of it.
        """
        equal = np.ones(len(self._truth))
        rows = []
        for number in range(self._classes):
            true, called = self._truth == number, self._called == number
            given = equal if true.any() and not true.all() else 0 * equal
            rows.append((share(~called[~true], equal[~true]), share(~true[~called], given[~called])))
        return dict(zip(("specificity", "npv"), np.array(rows).T, strict=True))

    def rank(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the areas below the ROC curve and the curve of precision and recall (as average precision).

        Returns:
            Of each class against the rest, and of malignant against benign as the last, ``[classes + 1]`` each.
        """
        total, areas = weights.sum(), np.full((2, len(self._is)), np.nan)
        for number, (positive, scores) in enumerate(zip(self._is, self._scores, strict=True)):
            found = weights @ positive
            if 0 < found < total:
                areas[:, number] = _measure_areas(positive, scores, weights, found, total - found)
        return areas[0], areas[1]

    def _count(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Count which classes are called what: a few cells with weights say the same as all images, and are quicker."""
        counts = np.bincount(self._truth * self._classes + self._called, weights, minlength=self._classes**2)
        some = np.flatnonzero(counts)
        return some // self._classes, some % self._classes, counts[some]

    def _agree(self, weights: np.ndarray) -> dict[str, float]:
        truth, called, counts = self._count(weights)
        if len(set(truth)) < 2:  # there is nothing that chance could get wrong
            return {"matthews_correlation": np.nan, "cohen_kappa": np.nan}
        return {
            "matthews_correlation": float(metrics.matthews_corrcoef(truth, called, sample_weight=counts)),
            "cohen_kappa": float(metrics.cohen_kappa_score(truth, called, sample_weight=counts)),
        }

    def _screen(self, weights: np.ndarray) -> dict[str, float]:
        ill, called = self._ill, self._called_ill
        # Without one of the two, what is called malignant is right or wrong whatever it looks like.
        both = weights[ill].any() and weights[~ill].any()
        given = weights if both else np.zeros(len(ill))
        wanted = _weigh_by_prevalence(ill, weights, self._prevalence) if both else given
        return {
            "screening_sensitivity": share(called[ill], weights[ill]),
            "screening_specificity": share(~called[~ill], weights[~ill]),
            "screening_ppv": share(ill[called], given[called]),
            "screening_npv": share(~ill[~called], given[~called]),
            "screening_ppv_at_prevalence": share(ill[called], wanted[called]),
            "screening_npv_at_prevalence": share(~ill[~called], wanted[~called]),
        }


def share(values: np.ndarray, weights: np.ndarray) -> float:
    """Give the share of images for which something holds, by weight; NaN where there is none."""
    return float(np.average(values, weights=weights)) if weights.any() else np.nan


def _measure_areas(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray, found: float, others: float
) -> tuple[float, float]:
    """Measure the areas below the ROC curve and, as average precision, below that of precision and recall.

    Both are of the one curve that scikit-learn traces, since its functions for either sort the images anew.
    """
    false, true, _ = metrics.roc_curve(positive, scores, sample_weight=weights, drop_intermediate=False)
    right, wrong = found * true[1:], others * false[1:]
    return metrics.auc(false, true), float(np.diff(true) @ (right / (right + wrong)))


def _weigh_by_prevalence(ill: np.ndarray, weights: np.ndarray, prevalence: float) -> np.ndarray:
    """Weigh images so that the malignant ones are as frequent as stated."""
    return weights * np.where(ill, prevalence / weights[ill].sum(), (1 - prevalence) / weights[~ill].sum())
