"""Scoring predictions; scikit-learn computes."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics

from leukoscope.options import plain_name

PREFIX = "probability_"


def probability_columns(class_names: Sequence[str]) -> list[str]:
    """Name the probability columns of these classes, in their order."""
    return [PREFIX + plain_name(name) for name in class_names]


def select_split(predictions: pd.DataFrame, split: str, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Select from a table of predictions what there is of one split.

    Returns:
        The number of each image's true class, ``[n]``, and the probabilities, ``[n, classes]``.
    """
    rows = predictions[predictions["split"] == split]
    numbers = pd.Index(class_names).get_indexer(rows["label"])
    return numbers, rows[probability_columns(class_names)].to_numpy()


class Scoring(NamedTuple):
    """How predictions are scored.

    Attributes:
        class_names: The classes in the order of the probabilities.
        benign: The class that the screening view sets against all others.
        prevalence: The share of malignant fields where predictive values are to hold.
    """

    class_names: Sequence[str]
    benign: str
    prevalence: float

    def score(self, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
        """Score the predictions of one split.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.

        Returns:
            Every figure by its plain name, without the split's; ``None`` where it is undefined, as an AUC without
            images of the class.
        """
        truth = self._number(labels)
        predicted = probabilities.argmax(axis=1)
        every = list(range(len(self.class_names)))
        figures = {"images": len(truth), "loss": metrics.log_loss(truth, probabilities, labels=every)}
        figures |= self.score_headline(labels, probabilities)
        for average in ("macro", "weighted"):
            precision, recall, f1, _ = metrics.precision_recall_fscore_support(
                truth, predicted, labels=every, average=average, zero_division=0
            )
            figures |= {f"{average}_precision": precision, f"{average}_sensitivity": recall, f"{average}_f1": f1}
        figures |= _score_classes(truth, predicted, probabilities, self.class_names)
        return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}

    def score_headline(
        self, labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
    ) -> dict[str, float]:
        """Score what deserves an interval: over all classes, and benign against malignant.

        A field counts as called malignant when its likeliest class is.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.
            weights: Of each image, ``[n]``; by default all are equal.

        Returns:
            Figures by their plain names, NaN where one is undefined.
        """
        truth, predicted = self._number(labels), probabilities.argmax(axis=1)
        weights = np.ones(len(truth)) if weights is None else weights
        every = range(len(self.class_names))
        drawn = np.unique(truth[weights > 0])
        malignant = [number for number in every if self.class_names[number] != self.benign]
        ill, called = np.isin(truth, malignant), np.isin(predicted, malignant)
        risk = probabilities[:, malignant].sum(axis=1)
        rebalanced = _weigh_by_prevalence(ill, weights, self.prevalence)
        areas = [_rank(truth == number, probabilities[:, number], weights) for number in every]
        return {
            "accuracy": metrics.accuracy_score(truth, predicted, sample_weight=weights),
            "balanced_accuracy": metrics.recall_score(
                truth, predicted, labels=drawn, average="macro", sample_weight=weights
            ),
            "macro_f1": metrics.f1_score(
                truth, predicted, labels=drawn, average="macro", sample_weight=weights, zero_division=0
            ),
            "matthews_correlation": metrics.matthews_corrcoef(truth, predicted, sample_weight=weights),
            "cohen_kappa": metrics.cohen_kappa_score(truth, predicted, sample_weight=weights),
            "auc": statistics.fmean(auc for auc, _ in areas),
            "auprc": statistics.fmean(auprc for _, auprc in areas),
            "screening_sensitivity": _share(called[ill], weights[ill]),
            "screening_specificity": _share(~called[~ill], weights[~ill]),
            "screening_ppv": _share(ill[called], weights[called]),
            "screening_npv": _share(~ill[~called], weights[~called]),
            "screening_ppv_at_prevalence": _share(ill[called], rebalanced[called]),
            "screening_npv_at_prevalence": _share(~ill[~called], rebalanced[~called]),
            **dict(zip(("screening_auc", "screening_auprc"), _rank(ill, risk, weights), strict=True)),
        }

    def _number(self, labels: np.ndarray) -> np.ndarray:
        return pd.Index(self.class_names).get_indexer(labels)


def _weigh_by_prevalence(ill: np.ndarray, weights: np.ndarray, prevalence: float) -> np.ndarray:
    """Weigh images so that the malignant ones are as frequent as stated."""
    if not weights[ill].any() or not weights[~ill].any():
        return np.zeros(len(ill))  # half of what Bayes' rule needs is unknown
    return weights * np.where(ill, prevalence / weights[ill].sum(), (1 - prevalence) / weights[~ill].sum())


def _rank(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Give the areas below the ROC curve and the curve of precision and recall (as average precision)."""
    if not weights[positive].any() or not weights[~positive].any():
        return np.nan, np.nan
    return (
        metrics.roc_auc_score(positive, scores, sample_weight=weights),
        metrics.average_precision_score(positive, scores, sample_weight=weights),
    )


def _share(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if weights.any() else np.nan


def _score_classes(
    truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> dict[str, float]:
    every, equal = list(range(len(class_names))), np.ones(len(truth))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    figures: dict[str, float] = {}
    for number, name in enumerate(map(plain_name, class_names)):
        true, called = truth == number, predicted == number
        auc, auprc = _rank(true, probabilities[:, number], equal)
        figures |= {
            f"precision_{name}": precision[number],
            f"sensitivity_{name}": recall[number],
            f"specificity_{name}": _share(~called[~true], equal[~true]),
            f"npv_{name}": _share(~true[~called], equal[~called]),
            f"f1_{name}": f1[number],
            f"support_{name}": support[number],
            f"auc_{name}": auc,
            f"auprc_{name}": auprc,
        }
    return figures


def tabulate_probabilities(probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Make the columns of a table of predictions: the likeliest class and each class's probability.

    Args:
        probabilities: ``[n, classes]``.
        class_names: The classes in the order of the columns.
    """
    table = pd.DataFrame(probabilities, columns=probability_columns(class_names))
    table.insert(0, "predicted", np.array(class_names)[probabilities.argmax(axis=1)])
    return table
