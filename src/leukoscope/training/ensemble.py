"""Learning how trained models vote."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation.compatibility import require_evaluation
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.significance import estimate_difference
from leukoscope.evaluation.voting import STACKING, Vote, learn_vote, predict_held_out
from leukoscope.models.base import Classifier
from leukoscope.models.ensemble import EnsembleClassifier
from leukoscope.training import without_epochs

logger = logging.getLogger(__name__)

# Raise by hand when the same key would give another vote.
ENSEMBLE_FORMAT = 1
_DECIMALS = 6  # precision to which the ends of an interval are found
_WORDS = {
    "kappa": "Cohen's kappa",
    "accuracy": "accuracy",
    "f1": "weighted F1",
    "auc": "the mean AUC of each class against all others",
    "log_loss": "the log loss of their sum",
}


def describe_key(
    recipe: Mapping[str, Any], models: Mapping[str, str], class_names: Sequence[str], splits: str, seed: int
) -> dict[str, Any]:
    """Collect everything that determines a vote; its model's name is not part of it.

    Args:
        recipe: The kind, and the ``recipe`` in effect.
        models: The fingerprints of the members.
        class_names: The classes in order.
        splits: The fingerprint of the splits.
        seed: Seed of anything random in a regression.
    """
    facts = {"models": dict(models), "class_names": list(class_names), "seed": seed, "splits": splits}
    return {**recipe, **facts, "format": ENSEMBLE_FORMAT, "engine": without_epochs.describe_engine()}


def require_members(key: Mapping[str, Any], members: Mapping[str, Classifier]) -> None:
    """Check that the members are the models that were evaluated.

    Args:
        key: Key of the training.
        members: The members' classifiers.

    Raises:
        InputError: A member was trained again since.
    """
    for name, member in members.items():
        require_evaluation(name, member.fingerprint == key["models"][name])


def learn(
    key: Mapping[str, Any], members: Mapping[str, Classifier], predictions: Mapping[str, pd.DataFrame], name: str
) -> tuple[EnsembleClassifier, dict[str, Any]]:
    """Learn a vote from the members' probabilities for the validation images.

    Args:
        key: Key of the training.
        members: The members' classifiers.
        predictions: The members' predictions for the images of all splits.
        name: The model's name in the log.

    Returns:
        The classifier, and the ``vote`` for JSON.
    """
    first = next(iter(predictions.values()))
    validation = (first["split"] == "validation").to_numpy()
    truth = pd.Index(key["class_names"]).get_indexer(first.loc[validation, "label"])
    probabilities = _stack_up(predictions, key["class_names"])[:, validation]
    vote = learn_vote(key["recipe"]["weights"], truth, probabilities, key["seed"])
    shares = ", ".join(f"{member} {weight:.4f}" for member, weight in zip(members, vote.weights, strict=True))
    logger.info("%s: weights %s", name, shares)
    return EnsembleClassifier(dict(members), vote), {"vote": vote.describe()}


def _stack_up(predictions: Mapping[str, pd.DataFrame], class_names: Sequence[str]) -> np.ndarray:
    """Stack the members' probabilities, ``[members, n, classes]``."""
    columns = probability_columns(class_names)
    return np.stack([table[columns].to_numpy() for table in predictions.values()])


def combine(
    vote: Vote,
    rule: str,
    predictions: Mapping[str, pd.DataFrame],
    splits: pd.DataFrame,
    class_names: Sequence[str],
    seed: int,
) -> np.ndarray:
    """Combine the members' probabilities for the images of all splits.

    Args:
        vote: The vote learned from the validation images.
        rule: The rule by which it was learned.
        predictions: The members' predictions, in the order of the splits' images.
        splits: The table of splits, with the groups of images.
        class_names: The classes in order.
        seed: Seed of the folds of validation images.

    Returns:
        ``float32 [n, classes]``; for validation images, held-out predictions from ``predict_held_out``.
    """
    probabilities = _stack_up(predictions, class_names)
    combined = vote.combine(probabilities)
    validation = (splits["split"] == "validation").to_numpy()
    truth = pd.Index(class_names).get_indexer(splits.loc[validation, "label"])
    groups = splits.loc[validation, "group"].to_numpy()
    combined[validation] = predict_held_out(rule, truth, probabilities[:, validation], groups, vote, seed)
    return combined


def describe_training(key: Mapping[str, Any], vote: Vote, summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Describe for the summary how a vote was learned and what it costs.

    Args:
        key: Key of the training.
        vote: The learned vote.
        summaries: Summaries of the members' trainings.
    """
    rule = key["recipe"]["weights"]
    weights = {name: float(weight) for name, weight in zip(summaries, vote.weights, strict=True)}
    parts = [summary.get("input_size") or 0 for summary in summaries.values()]
    return without_epochs.describe_training(key) | {
        "description": f"ensemble of {', '.join(summaries)}: {_describe_rule(rule)}",
        "members": weights,
        "weights_by": rule,
        "parameters": sum(summary["parameters"] for summary in summaries.values()),
        "model_mib": sum(summary["model_mib"] for summary in summaries.values()),
        "input_size": max(parts),
    }


def _describe_rule(rule: str) -> str:
    if rule == STACKING:
        return "a regression on the logarithms of their probabilities, learned on the validation images"
    if rule == "equal":
        return "the mean of their probabilities"
    return f"the sum of their probabilities, weighted by {_WORDS[rule]} on the validation images"


def compare_with_best(
    predictions: pd.DataFrame,
    member_predictions: Mapping[str, pd.DataFrame],
    weights: Mapping[str, float],
    splits: pd.DataFrame,
    confidence: float,
    seed: int,
) -> dict[str, Any]:
    """Test on the test images whether a vote differs in accuracy from its best member on the validation images.

    Args:
        predictions: Predictions of the vote.
        member_predictions: Predictions of its members, in the order of the splits' images.
        weights: Weights of the members.
        splits: The groups of images, in the same order.
        confidence: Confidence level of the interval, and one minus the significance level of the test.
        seed: Seed of the swaps from which the interval's ends are found.

    Returns:
        ``members`` (by name ``weight, validation_accuracy, test_accuracy``), ``best``, and, for the vote minus the best
        member, ``difference, low, high, p`` and ``shown``.
    """
    hits = {name: (table["predicted"] == table["label"]).to_numpy() for name, table in member_predictions.items()}
    own = (predictions["predicted"] == predictions["label"]).to_numpy()
    validation, test = ((splits["split"] == name).to_numpy() for name in ("validation", "test"))
    members = {
        name: {
            "weight": weights[name],
            "validation_accuracy": float(right[validation].mean()),
            "test_accuracy": float(right[test].mean()),
        }
        for name, right in hits.items()
    }
    best = max(members, key=lambda name: members[name]["validation_accuracy"])
    estimate, p = estimate_difference(own[test], hits[best][test], splits.loc[test, "group"], confidence, seed)
    interval = {"low": estimate.low, "high": estimate.high}
    ends = {end: None if np.isnan(value) else round(value, _DECIMALS) for end, value in interval.items()}
    tested = {"difference": estimate.value, **ends, "p": p, "shown": bool(p < 1 - confidence)}
    return {"members": members, "best": best, "confidence": confidence} | tested
