"""Scoring predictions; scikit-learn computes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from leukoscope.core.options import plain_name
from leukoscope.evaluation.metrics import Headline, share

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


class Screening(NamedTuple):
    """What sets benign against malignant: one score, and where it is cut.

    Attributes:
        scores: The calibrated malignant probability of each image, ``[n]``.
        operating_point: From which on a field is called malignant, chosen on validation images.
    """

    scores: np.ndarray
    operating_point: float


class Scoring(NamedTuple):
    """How predictions are scored.

    Attributes:
        class_names: The classes in the order of the probabilities.
        benign: The classes that the screening view sets against all others.
        prevalence: The share of malignant fields where predictive values are to hold.
    """

    class_names: Sequence[str]
    benign: Sequence[str]
    prevalence: float

    def score(
        self,
        labels: np.ndarray,
        probabilities: np.ndarray,
        called: np.ndarray | None = None,
        screening: Screening | None = None,
    ) -> dict[str, float | None]:
        """Score the predictions of one split.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.
            called: The number of the class that each image is called, ``[n]``; by default its likeliest.
            screening: What sets benign against malignant; without it there are no such figures.

        Returns:
            Every figure by its plain name, without the split's; ``None`` where it is undefined, as an AUC without
            images of the class.
        """
        headline = self.prepare(labels, probabilities, called, screening)
        figures = {"images": len(labels)} | headline.support | headline.score(np.ones(len(labels)))
        figures |= {name: share(hits[some]) for name, (hits, some) in headline.shares.items()}
        figures |= headline.combine(figures)
        return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}

    def prepare(
        self,
        labels: np.ndarray,
        probabilities: np.ndarray,
        called: np.ndarray | None = None,
        screening: Screening | None = None,
    ) -> Headline:
        """Prepare the figures, over all classes, of each class, and of benign against malignant.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.
            called: The number of the class that each image is called, ``[n]``; by default its likeliest.
            screening: What sets benign against malignant; without it there are no such figures.
        """
        called = probabilities.argmax(axis=1) if called is None else called
        cut = None if screening is None else (screening.scores, screening.scores >= screening.operating_point)
        names = [plain_name(name) for name in self.class_names]
        return Headline(
            self._number(labels), called, probabilities, names, self.is_malignant(labels), cut, self.prevalence
        )

    def is_malignant(self, labels: np.ndarray) -> np.ndarray:
        """Tell which images are of another class than the benign ones, boolean ``[n]``."""
        return ~np.isin(np.asarray(labels, dtype=str), list(self.benign))

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
