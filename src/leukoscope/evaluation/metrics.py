"""Figures of classification, computed again and again for other weights of the images.

By NumPy, after scikit-learn's definitions, against which the tests hold each figure. scikit-learn's own functions take
thirty times as long (390 images, four classes), nearly all of it to check what they are given.
"""

from collections.abc import Mapping, Sequence

import numpy as np

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
        self._losses = measure_losses(truth, probabilities)
        self._ill, self._screening = malignant, screening
        # One curve a class against the rest, and the screening's as the last one, if there is one.
        self._curves = [Curve(truth == number, scores) for number, scores in enumerate(probabilities.T)]
        if screening is not None:
            self._curves.append(Curve(malignant, screening[0]))

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
        counts = np.bincount(self._truth * self._classes + self._called, weights, minlength=self._classes**2)
        table = counts.reshape(self._classes, self._classes)  # a row a true class
        by_class, support = _score_classes(table), table.sum(axis=1)
        auc, auprc = np.array([curve.measure_areas(weights) for curve in self._curves]).T
        figures = {"loss": float(np.average(self._losses, weights=weights))}
        figures["balanced_accuracy"] = float(by_class["sensitivity"].mean())
        some = support > 0
        for name, values in by_class.items():
            figures[f"macro_{name}"] = float(values.mean())
            figures[f"weighted_{name}"] = float(np.average(values[some], weights=support[some]))
        figures |= _measure_agreement(table)
        per_class = {"f1": by_class["f1"], "auc": auc[: self._classes], "auprc": auprc[: self._classes]}
        figures |= {name: float(per_class[name].mean()) for name in ("auc", "auprc")}
        for figure, values in per_class.items():
            figures |= {f"{figure}_{name}": float(value) for name, value in zip(self._names, values, strict=True)}
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


class Curve:
    """The ROC curve of some images, whose weights may change but not their scores.

    Args:
        positive: Which images are to have high scores, boolean ``[n]``.
        scores: Theirs, ``[n]``.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._positive = positive[self._order]
        # Images of one score are told apart by no threshold.
        self._ends = np.append(np.flatnonzero(np.diff(scores[self._order])), len(scores) - 1)

    def measure_areas(self, weights: np.ndarray) -> tuple[float, float]:
        """Measure the areas below the ROC curve and, as average precision, below that of precision and recall.

        NaN where there are no images of one of both kinds.
        """
        weights = weights[self._order]
        true, false = (np.cumsum(weights * kind)[self._ends] for kind in (self._positive, ~self._positive))
        if not (true[-1] > 0 and false[-1] > 0):
            return np.nan, np.nan
        found = np.diff(true, prepend=0)
        area = np.diff(false, prepend=0) @ (true - found / 2) / (true[-1] * false[-1])
        called = true + false
        precision = np.divide(true, called, out=np.zeros(len(true)), where=called > 0)
        return float(area), float(found @ precision / true[-1])


def _score_classes(table: np.ndarray) -> dict[str, np.ndarray]:
    """Score each class against all others: ``precision``, ``sensitivity``, ``f1``, ``[classes]`` each.

    NaN where a class has no images, the precision also where there are no others, or none is called it.

    Args:
        table: Weights of images, a row a true class, ``[classes, classes]``.
    """
    right, support, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    there = support > 0

    def divide(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray) -> np.ndarray:
        return np.divide(numerator, denominator, out=np.full(len(table), np.nan), where=defined)

    return {
        "precision": divide(right, called, there & (support < support.sum()) & (called > 0)),
        "sensitivity": divide(right, support, there),
        "f1": divide(2 * right, support + called, there),
    }


def _measure_agreement(table: np.ndarray) -> dict[str, float]:
    """Measure agreement beyond chance: Cohen 1960, and Gorodkin 2004, Comparing two K-category assignments."""
    total, support, called = table.sum(), table.sum(axis=1), table.sum(axis=0)
    if (support > 0).sum() < 2:  # there is nothing that chance could get wrong
        return {"matthews_correlation": np.nan, "cohen_kappa": np.nan}
    beyond = np.trace(table) * total - support @ called
    spread = np.sqrt((total**2 - called @ called) * (total**2 - support @ support))
    return {
        "matthews_correlation": float(beyond / spread) if spread > 0 else 0.0,
        "cohen_kappa": float(beyond / (total**2 - support @ called)),
    }


def measure_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Give the log loss of each image, ``[n]``, in double precision, where one sure error costs what it should.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
    """
    exact = probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    return -np.log(np.maximum(exact[np.arange(len(truth)), truth], np.finfo(float).eps))


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
