"""Scoring predictions; scikit-learn computes."""

import statistics
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn import metrics

from leukoscope.options import plain_name

PREFIX = "probability_"


def probability_columns(class_names: Sequence[str]) -> list[str]:
    """Name the probability columns of these classes, in their order."""
    return [PREFIX + plain_name(name) for name in class_names]


def score_split(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], benign: str
) -> dict[str, float | None]:
    """Score the predictions of one split.

    Args:
        labels: The true class names, ``[n]``.
        probabilities: ``[n, classes]``.
        class_names: The classes in the order of the columns.
        benign: The class that the screening view sets against all others.

    Returns:
        Every figure by its plain name, without the split's; ``None`` where it is undefined, as an AUC without
        images of the class.
    """
    truth = np.array([list(class_names).index(label) for label in labels])
    predicted = probabilities.argmax(axis=1)
    figures: dict[str, float | None] = {
        "images": len(truth),
        "accuracy": metrics.accuracy_score(truth, predicted),
        "loss": metrics.log_loss(truth, probabilities, labels=range(len(class_names))),
    }
    every = list(range(len(class_names)))
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            truth, predicted, labels=every, average=average, zero_division=0
        )
        figures |= {f"{average}_precision": precision, f"{average}_sensitivity": recall, f"{average}_f1": f1}
    figures |= _score_classes(truth, predicted, probabilities, class_names)
    areas = [figures[f"auc_{plain_name(name)}"] for name in class_names]
    defined = [area for area in areas if area is not None]
    figures["auc"] = statistics.mean(defined) if len(defined) == len(areas) else None
    malignant = [number for number, name in enumerate(class_names) if name != benign]
    figures |= _score_screening(truth, predicted, probabilities, malignant)
    return {name: None if value is None else float(value) for name, value in figures.items()}


def _score_classes(
    truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> dict[str, float | None]:
    every = list(range(len(class_names)))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    figures: dict[str, float | None] = {}
    for number, name in enumerate(map(plain_name, class_names)):
        figures |= {
            f"precision_{name}": precision[number],
            f"sensitivity_{name}": recall[number],
            f"specificity_{name}": _specificity(truth == number, predicted == number),
            f"f1_{name}": f1[number],
            f"support_{name}": support[number],
            f"auc_{name}": _auc(truth == number, probabilities[:, number]),
        }
    return figures


def _score_screening(
    truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, malignant: list[int]
) -> dict[str, float | None]:
    """Benign against malignant: a field counts as called malignant when its likeliest class is."""
    ill, called = np.isin(truth, malignant), np.isin(predicted, malignant)
    return {
        "screening_sensitivity": _share(called[ill]),
        "screening_specificity": _specificity(ill, called),
        "screening_auc": _auc(ill, probabilities[:, malignant].sum(axis=1)),
    }


def _specificity(positive: np.ndarray, called: np.ndarray) -> float | None:
    return _share(~called[~positive])


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _auc(positive: np.ndarray, scores: np.ndarray) -> float | None:
    if positive.all() or not positive.any():
        return None
    return metrics.roc_auc_score(positive, scores)


def tabulate_probabilities(probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Make the columns of a table of predictions: the likeliest class and each class's probability.

    Args:
        probabilities: ``[n, classes]``.
        class_names: The classes in the order of the columns.
    """
    table = pd.DataFrame(probabilities, columns=probability_columns(class_names))
    table.insert(0, "predicted", np.array(class_names)[probabilities.argmax(axis=1)])
    return table
