"""Scoring predictions; scikit-learn computes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics

from leukoscope.models.headline import Headline
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


def number_called(predictions: pd.DataFrame, split: str, class_names: Sequence[str]) -> np.ndarray:
    """Number the classes that images of a split are called, ``[n]``, in the order of ``select_split``."""
    return pd.Index(class_names).get_indexer(predictions.loc[predictions["split"] == split, "predicted"])


def measure_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Give the log loss, in double precision: scikit-learn clips single precision where one error should cost more.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
    """
    exact = probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    return float(metrics.log_loss(truth, exact, labels=range(exact.shape[1])))


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

    def score(
        self, labels: np.ndarray, probabilities: np.ndarray, called: np.ndarray | None = None
    ) -> dict[str, float | None]:
        """Score the predictions of one split.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.
            called: The number of the class that each image is called, ``[n]``; by default its likeliest.

        Returns:
            Every figure by its plain name, without the split's; ``None`` where it is undefined, as an AUC without
            images of the class.
        """
        headline, equal = self.prepare(labels, probabilities, called), np.ones(len(labels))
        figures = {"images": len(labels), "loss": measure_loss(self._number(labels), probabilities)}
        figures |= headline.score(equal)
        by_class = headline.score_classes(equal)
        some = by_class["support"] > 0
        for name in ("precision", "sensitivity", "f1"):
            figures[f"macro_{name}"] = by_class[name].mean()
            figures[f"weighted_{name}"] = np.average(by_class[name][some], weights=by_class["support"][some])
        auc, auprc = headline.rank(equal)
        by_class |= headline.score_rejection() | {"auc": auc[:-1], "auprc": auprc[:-1]}
        for name, values in by_class.items():
            figures |= {f"{name}_{plain_name(of)}": one for of, one in zip(self.class_names, values, strict=True)}
        return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}

    def prepare(self, labels: np.ndarray, probabilities: np.ndarray, called: np.ndarray | None = None) -> Headline:
        """Prepare the figures that deserve an interval: over all classes, and benign against malignant.

        A field counts as called malignant when the class that it is called is.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.
            called: The number of the class that each image is called, ``[n]``; by default its likeliest.
        """
        called = probabilities.argmax(axis=1) if called is None else called
        malignant = [number for number, name in enumerate(self.class_names) if name != self.benign]
        return Headline(self._number(labels), called, probabilities, malignant, self.prevalence)

    def _number(self, labels: np.ndarray) -> np.ndarray:
        return pd.Index(self.class_names).get_indexer(labels)


def tabulate_probabilities(probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Make the columns of a table of predictions: the likeliest class and each class's probability.

    Args:
        probabilities: ``[n, classes]``.
        class_names: The classes in the order of the columns.
    """
    table = pd.DataFrame(probabilities, columns=probability_columns(class_names))
    table.insert(0, "predicted", np.array(class_names)[probabilities.argmax(axis=1)])
    return table
