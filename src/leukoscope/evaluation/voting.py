"""Combine the probabilities of several classifiers: by weights or a regression learned on validation images."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

STACKING = "stacking"
_STEPS = 2000
_SETTLED = 1e-10
_LEAST = 1e-6  # smallest probability for logarithms, still finite enough for a regression
_FOLDS = 3


class Vote(NamedTuple):
    """The rule for combining members' probabilities.

    Attributes:
        weights: Weights of the members, adding up to 1, ``[members]``; for a regression the shares of its coefficients.
        coefficients: Coefficients of the logarithms of all members' probabilities, ``[members, classes, classes]``,
            with the predicted class on the last axis; ``None`` for a weighted sum.
        intercepts: Intercepts of the classes, ``[classes]``; ``None`` for a weighted sum.
    """

    weights: np.ndarray
    coefficients: np.ndarray | None = None
    intercepts: np.ndarray | None = None

    def combine(self, probabilities: np.ndarray) -> np.ndarray:
        """Combine the members' probabilities.

        Args:
            probabilities: ``[members, n, classes]``.

        Returns:
            ``float32 [n, classes]``, rows add up to 1.
        """
        if self.coefficients is None or self.intercepts is None:
            return np.tensordot(self.weights, probabilities, axes=1).astype(np.float32)
        scores = np.einsum("mnc,mck->nk", _take_logarithms(probabilities), self.coefficients) + self.intercepts
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """Return all fields for JSON."""
        return {name: None if part is None else np.asarray(part).tolist() for name, part in self._asdict().items()}

    @classmethod
    def restore(cls, facts: Mapping[str, Any]) -> "Vote":
        """Restore a vote from the output of ``describe``."""
        parts = [None if facts[name] is None else np.array(facts[name], float) for name in cls._fields[1:]]
        return cls(np.array(facts["weights"], float), *parts)


def learn_vote(rule: str, truth: np.ndarray, probabilities: np.ndarray, seed: int = 0) -> Vote:
    """Learn how to combine the probabilities of several classifiers.

    Args:
        rule: ``kappa``, ``accuracy``, ``f1``, ``auc``: weights proportional to that metric of each member; ``equal``;
            ``log_loss``: the weights for which the weighted sum has the smallest log loss; ``stacking``: a multinomial
            regression on the logarithms of all probabilities (Wolpert 1992, Stacked generalization).
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[members, n, classes]``.
        seed: Seed of the regression.
    """
    if rule == STACKING:
        return _stack(truth, probabilities, seed)
    if rule == "equal":
        return Vote(weigh(np.ones(len(probabilities))))
    if rule == "log_loss":
        return Vote(_minimise_log_loss(truth, probabilities))
    return Vote(weigh([_FIGURES[rule](truth, chances) for chances in probabilities]))


def predict_held_out(
    rule: str, truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, vote: Vote, seed: int
) -> np.ndarray:
    """Combine the probabilities of the images that a vote was learned on, for steps that learn from the result.

    A few weights fit other images about as well as those that they were learned on. A regression fits its own images
    better, so each image is combined by a regression learned on other groups.

    Args:
        rule: As in ``learn_vote``.
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[members, n, classes]``.
        groups: The group of each image, ``[n]``.
        vote: The vote learned on all of them.
        seed: Seed of the folds.
    """
    if rule != STACKING or len(np.unique(groups)) < _FOLDS:
        return vote.combine(probabilities)
    from sklearn.model_selection import StratifiedGroupKFold

    combined = vote.combine(probabilities)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for others, held_out in folds.split(truth, truth, groups):
        if len(np.unique(truth[others])) == probabilities.shape[2]:
            combined[held_out] = _stack(truth[others], probabilities[:, others], seed).combine(
                probabilities[:, held_out]
            )
    return combined


def weigh(figures: Sequence[float] | np.ndarray) -> np.ndarray:
    """Compute weights proportional to metrics; negative or undefined ones count as 0, and if all do, weights are equal.

    Args:
        figures: One metric per member.
    """
    counted = np.nan_to_num(np.maximum(np.asarray(figures, float), 0), nan=0.0)
    return counted / counted.sum() if counted.sum() > 0 else np.full(len(counted), 1 / len(counted))


def _measure_kappa(truth: np.ndarray, chances: np.ndarray) -> float:
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(truth, chances.argmax(axis=1)))


def _measure_accuracy(truth: np.ndarray, chances: np.ndarray) -> float:
    return float((chances.argmax(axis=1) == truth).mean())


def _measure_f1(truth: np.ndarray, chances: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, chances.argmax(axis=1), average="weighted", zero_division=0))


def _measure_auc(truth: np.ndarray, chances: np.ndarray) -> float:
    """Compute the mean over classes of the one-against-rest AUC; NaN if a class has no images, or all of them."""
    from sklearn.metrics import roc_auc_score

    classes = range(chances.shape[1])
    if any((truth == number).sum() in (0, len(truth)) for number in classes):
        return np.nan
    return float(np.mean([roc_auc_score(truth == number, chances[:, number]) for number in classes]))


_FIGURES = {"kappa": _measure_kappa, "accuracy": _measure_accuracy, "f1": _measure_f1, "auc": _measure_auc}


def _minimise_log_loss(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find the weights of a mixture by expectation-maximisation, which converges to the unique minimum."""
    of_truth = np.maximum(probabilities[:, np.arange(len(truth)), truth], _LEAST)
    weights = np.full(len(of_truth), 1 / len(of_truth))
    # Each step divides every image among members in proportion to their probability for its class, then averages.
    for _ in range(_STEPS):
        shares = weights[:, None] * of_truth
        updated = (shares / shares.sum(axis=0)).mean(axis=1)
        settled = np.abs(updated - weights).max() < _SETTLED
        weights = updated
        if settled:
            break
    return weights


def _stack(truth: np.ndarray, probabilities: np.ndarray, seed: int) -> Vote:
    from sklearn.linear_model import LogisticRegression

    members, _, classes = probabilities.shape
    inputs = np.concatenate(list(_take_logarithms(probabilities)), axis=1)
    fitted = LogisticRegression(max_iter=2000, random_state=seed).fit(inputs, truth)
    # A class without learning images keeps a near-zero probability.
    coefficients = np.zeros((classes, members * classes))
    intercepts = np.full(classes, np.log(_LEAST))
    if len(fitted.classes_) == 2:  # of the second class only; the first has the negatives
        coefficients[fitted.classes_] = np.concatenate([-fitted.coef_, fitted.coef_]) / 2
        intercepts[fitted.classes_] = np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2
    else:
        coefficients[fitted.classes_] = fitted.coef_
        intercepts[fitted.classes_] = fitted.intercept_
    by_member = coefficients.T.reshape(members, classes, classes)
    return Vote(weigh(np.abs(by_member).sum(axis=(1, 2))), by_member, intercepts)


def _take_logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, _LEAST))
