"""Figures of classification, computed by scikit-learn again and again for other weights of the images."""

from collections.abc import Mapping, Sequence

import numpy as np
import sklearn
from sklearn import metrics

Shares = dict[str, tuple[np.ndarray, np.ndarray]]


class Headline:
    """Figures over all classes, of each class against the rest, and of benign against malignant.

    A figure that needs a class without images is NaN, on all images as in a draw of some: means over the classes need
    every one of them, and agreement beyond chance needs two.

    Args:
        truth: The number of each image's class, ``[n]``.
        called: The number of the class that each is called, ``[n]``.
        probabilities: ``[n, classes]``.
        names: The plain name of each class.
        malignant: Which images are malignant, boolean ``[n]``.
        screening: The malignant score of each image, and whether it is called malignant, ``[n]`` each; ``None`` without
            a screening view.
        prevalence: The share of malignant fields where predictive values are to hold.
    """

    def __init__(
        self,
        truth: np.ndarray,
        called: np.ndarray,
        probabilities: np.ndarray,
        names: Sequence[str],
        malignant: np.ndarray,
        screening: tuple[np.ndarray, np.ndarray] | None,
        prevalence: float,
    ) -> None:
        self._names, self._classes = names, len(names)
        self._truth, self._called, self._prevalence = truth, called, prevalence
        self._probabilities = probabilities.astype(float)
        self._ill, self._screening = malignant, screening
        # One row a class against the rest, and the screening's as the last one, if there is one.
        self._is = [truth == number for number in range(self._classes)]
        self._scores = list(probabilities.T)
        if screening is not None:
            self._is.append(malignant)
            self._scores.append(screening[0])

    @property
    def support(self) -> dict[str, int]:
        """The number of images of each class, ``support_<class>``."""
        counts = np.bincount(self._truth, minlength=self._classes)
        return {f"support_{name}": int(count) for name, count in zip(self._names, counts, strict=True)}

    @property
    def shares(self) -> Shares:
        """The figures that are a share of images: what holds, and of which images, boolean ``[n]`` each.

        ``accuracy``; of each class ``precision``, ``sensitivity``, ``specificity`` and ``npv``; of the screening
        ``sensitivity``, ``specificity``, ``ppv`` and ``npv``. Predictive values need images of both kinds.
        """
        shares: Shares = {"accuracy": (self._truth == self._called, np.ones(len(self._truth), bool))}
        for number, name in enumerate(self._names):
            figures = _list_shares(self._truth == number, self._called == number)
            for figure, kind in zip(figures, ("sensitivity", "specificity", "precision", "npv"), strict=True):
                shares[f"{kind}_{name}"] = figure
        if self._screening is not None:
            figures = _list_shares(self._ill, self._screening[1])
            for figure, kind in zip(figures, ("sensitivity", "specificity", "ppv", "npv"), strict=True):
                shares[f"screening_{kind}"] = figure
        return shares

    def score(self, weights: np.ndarray) -> dict[str, float]:
        """Score the images with some weights, ``[n]``: the figures by their plain names that are no share of images."""
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            by_class, support = self._score_classes(weights)
            auc, auprc = self._rank(weights)
            figures = {
                "loss": measure_loss(self._truth, self._probabilities, weights),
                "balanced_accuracy": float(by_class["sensitivity"].mean()),
            }
            some = support > 0
            for name, values in by_class.items():
                figures[f"macro_{name}"] = float(values.mean())
                figures[f"weighted_{name}"] = float(np.average(values[some], weights=support[some]))
            figures |= self._agree(weights)
            per_class = {"f1": by_class["f1"], "auc": auc[: self._classes], "auprc": auprc[: self._classes]}
            figures |= {name: float(per_class[name].mean()) for name in ("auc", "auprc")}
            for figure, values in per_class.items():
                figures |= {f"{figure}_{name}": float(one) for name, one in zip(self._names, values, strict=True)}
            if self._screening is not None:
                figures |= {"screening_auc": float(auc[-1]), "screening_auprc": float(auprc[-1])}
            return figures

    def combine(self, figures: Mapping[str, float], end: str = "") -> dict[str, float]:
        """Compute predictive values at the stated prevalence from sensitivity and specificity (Bayes' rule).

        Both rise with either, so that the ends of their intervals follow from those of the two.

        Args:
            figures: With ``screening_sensitivity`` and ``screening_specificity``.
            end: What their names end with, such as ``_low``.
        """
        if self._screening is None:
            return {}
        sensitivity, specificity = (figures[f"screening_{name}{end}"] for name in ("sensitivity", "specificity"))
        ill, healthy = self._prevalence, 1 - self._prevalence
        values = {
            "ppv": (sensitivity * ill, (1 - specificity) * healthy),
            "npv": (specificity * healthy, (1 - sensitivity) * ill),
        }
        return {
            f"screening_{name}_at_prevalence{end}": right / (right + wrong) if right + wrong > 0 else np.nan
            for name, (right, wrong) in values.items()
        }

    def _score_classes(self, weights: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Score each class against all others: ``precision``, ``sensitivity``, ``f1``; and the weight of its images.

        NaN where a class has no images, the precision also where there are no others, or none is called it.
        """
        truth, called, counts = self._count(weights)
        precision, sensitivity, f1, _ = metrics.precision_recall_fscore_support(
            truth, called, labels=range(self._classes), sample_weight=counts, zero_division=np.nan
        )
        support = np.bincount(truth, counts, minlength=self._classes)
        there = support > 0
        precision = np.where(there & (support < support.sum()), precision, np.nan)
        return {"precision": precision, "sensitivity": sensitivity, "f1": np.where(there, f1, np.nan)}, support

    def _rank(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the areas below the ROC curve and the curve of precision and recall (as average precision).

        Returns:
            Of each class against the rest and, if there is a screening view, of malignant against benign as the last.
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


def measure_loss(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Give the log loss, in double precision: scikit-learn clips single precision where one error should cost more.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
        weights: How much each image counts, ``[n]``; by default all count as much.
    """
    exact = probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    return float(metrics.log_loss(truth, exact, labels=range(exact.shape[1]), sample_weight=weights))


def share(hits: np.ndarray) -> float:
    """Give the share of images for which something holds; NaN where there is none."""
    return float(hits.mean()) if len(hits) else np.nan


def _list_shares(positive: np.ndarray, called: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """List sensitivity, specificity and the predictive values of a positive and a negative call."""
    # Without one of the two, a call is right or wrong whatever the image looks like.
    both = positive.any() and not positive.all()
    return [
        (called, positive),
        (~called, ~positive),
        (positive, called & both),
        (~positive, ~called & both),
    ]


def _measure_areas(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray, found: float, others: float
) -> tuple[float, float]:
    """Measure the areas below the ROC curve and, as average precision, below that of precision and recall.

    Both are of the one curve that scikit-learn traces, since its functions for either sort the images anew.
    """
    false, true, _ = metrics.roc_curve(positive, scores, sample_weight=weights, drop_intermediate=False)
    right, wrong = found * true[1:], others * false[1:]
    return metrics.auc(false, true), float(np.diff(true) @ (right / (right + wrong)))
