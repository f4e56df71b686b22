"""Combine trained models by a vote."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.compatibility import covers_splits, require_splits
from leukoscope.models.base import Classifier, VotingClassifier
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import NO_EPOCHS, TrainingJournal

logger = logging.getLogger(__name__)

Tables = Mapping[str, pd.DataFrame]


def collect_models(recipe: dict[str, Any], *models: Classifier) -> dict[str, Classifier]:
    """Collect the members' classifiers.

    Args:
        recipe: Names the members.
        models: The classifier of each member, in the recipe's order.
    """
    return dict(zip(recipe["recipe"]["members"], models, strict=True))


def collect_predictions(recipe: dict[str, Any], splits: pd.DataFrame, *predictions: pd.DataFrame) -> Tables:
    """Collect the members' predictions on the images of all splits.

    Args:
        recipe: Names the members.
        splits: The images.
        predictions: The predictions of each member, in the recipe's order.

    Raises:
        InputError: A member was evaluated on other images.
    """
    return _gather(recipe, splits, predictions)


def collect_features(recipe: dict[str, Any], splits: pd.DataFrame, *features: pd.DataFrame) -> Tables:
    """Collect the members' last-layer features of the images of all splits, with their models' fingerprints.

    Args:
        recipe: Names the members.
        splits: The images.
        features: The features of each member, in the recipe's order.

    Raises:
        InputError: A member was evaluated on other images.
    """
    return _gather(recipe, splits, features)


def _gather(recipe: dict[str, Any], splits: pd.DataFrame, tables: tuple[pd.DataFrame, ...]) -> Tables:
    named = dict(zip(recipe["recipe"]["members"], tables, strict=True))
    for name, table in named.items():
        require_splits(name, covers_splits(table, splits))
    ids = splits["image_id"]
    return {name: table.set_index("image_id").loc[ids].reset_index() for name, table in named.items()}


def collect_summaries(
    recipe: dict[str, Any], splits: pd.DataFrame, *summaries: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Collect the summaries of the members' trainings.

    Args:
        recipe: Names the members.
        splits: The current splits.
        summaries: The summary of each member, in the recipe's order.

    Raises:
        InputError: A member was trained on other splits.
    """
    named = dict(zip(recipe["recipe"]["members"], summaries, strict=True))
    present = fingerprint_table(splits)
    for name, summary in named.items():
        require_splits(name, summary["splits"] == present)
    return named


def prepare_training(
    recipe: dict[str, Any],
    member_features: Tables,
    member_summaries: dict[str, dict[str, Any]],
    class_names: list[str],
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines a vote, so that it can be learned or recognised as already learned.

    Args:
        recipe: The members, and how their weights are learned.
        member_features: The members' features, for the fingerprints of the evaluated models.
        member_summaries: The summaries of their trainings, on the same splits.
        class_names: The classes in order.
        splits: Which images are in the validation split.
        splitting: Provides the name of the split.
        seed: Random seed for a regression.

    Returns:
        The key of the training, and the name of the ``split``.
    """
    from leukoscope.training.ensemble import describe_key

    models = {name: str(table["model"].iloc[0]) for name, table in member_features.items()}
    key = describe_key(recipe, models, class_names, fingerprint_table(splits), seed)
    return key | {"split": splitting.split_name}


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    members: dict[str, Classifier],
    member_predictions: Tables,
    member_summaries: dict[str, dict[str, Any]],
    splits: pd.DataFrame,
    options: ModelOptions,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Learn from the validation images how the members vote, without training any member.

    Args:
        journal: The started training.
        software: Versions and the commit, recorded if the vote is not learned yet.
        members: The members' classifiers.
        member_predictions: Their predictions on the images of all splits.
        member_summaries: The summaries of their trainings.
        splits: Which images are in the validation split.
        options: The model's entry, for its name.

    Returns:
        The classifier, its history (empty, since there are no epochs) and the summary of its training.

    Raises:
        InputError: A member was retrained after its evaluation.
    """
    from leukoscope.training.ensemble import describe_training, learn, require_members

    with journal.hold():
        key = journal.key  # raises if another run has started a different training since
        require_members(key, members)
        journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        classifier, facts = learn(key, members, member_predictions, options.name)
        journal.finish_alone(facts)
        journal.record_model(classifier.fingerprint)
    summary = facts | describe_training(key, classifier.vote, member_summaries) | {"provenance": journal.origin}
    return classifier, pd.DataFrame(columns=NO_EPOCHS), summary


def combine_predictions(
    classifier: VotingClassifier,
    member_predictions: Tables,
    member_features: Tables,
    splits: pd.DataFrame,
    class_names: list[str],
    recipe: dict[str, Any],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Combine the members' predictions on every image, without predicting again.

    Args:
        classifier: The vote.
        member_predictions: The members' predictions on the images.
        member_features: Their last-layer features, with simple checks of the fields.
        splits: The groups of images, for a vote that must not be judged on the images that it was learned on.
        class_names: The classes in order.
        recipe: How the vote was learned.
        seed: Random seed for the folds of such a vote.

    Returns:
        Predictions and features, in the format of ``predict_splits``.

    Raises:
        InputError: The vote was learned on other splits, or has other classes.
    """
    from leukoscope.evaluation import compatibility, feature_table
    from leukoscope.evaluation.predictions import tabulate_probabilities
    from leukoscope.training.ensemble import combine

    if classifier.trained_on != fingerprint_table(splits):
        raise InputError("The vote was learned on other splits than the present ones. Train the ensemble again.")
    compatibility.require_classes("The ensemble", classifier.class_names, class_names)
    first = next(iter(member_features.values()))
    facts = first.reindex(columns=["image_id", "split", "label", "sha256", "drawn"])
    facts = facts.assign(model=classifier.fingerprint)
    rule = recipe["recipe"]["weights"]
    probabilities = combine(classifier.vote, rule, member_predictions, splits, class_names, seed)
    predictions = facts[["image_id", "split", "label"]].join(tabulate_probabilities(probabilities, class_names))
    features = np.concatenate([feature_table.select(table) for table in member_features.values()], axis=1)
    return predictions, feature_table.tabulate(facts, features, feature_table.select_checks(first))


def judge_vote(
    predictions: pd.DataFrame,
    member_predictions: Tables,
    training_summary: dict[str, Any],
    splits: pd.DataFrame,
    evaluation: EvaluationOptions,
    options: ModelOptions,
    seed: int,
) -> dict[str, Any]:
    """Compare the vote on the test images with the member that was best on the validation images.

    Args:
        predictions: The predictions of the vote.
        member_predictions: The predictions of its members.
        training_summary: The members' weights.
        splits: The groups of images.
        evaluation: The confidence of the interval.
        options: Names the vote.
        seed: Random seed for the swaps from which the ends of the interval are found.

    Returns:
        ``members`` (their weights and accuracies), ``best`` (a member), and for the difference in accuracy from it
        ``difference, low, high, p`` and ``shown``.
    """
    from leukoscope.training.ensemble import compare_with_best

    judged = compare_with_best(
        predictions, member_predictions, training_summary["members"], splits, evaluation.confidence, seed
    )
    logger.info(
        "%s less %s, its best member on validation images: test accuracy %+.3f (p %.3f, by groups)",
        options.title,
        judged["best"],
        judged["difference"],
        judged["p"],
    )
    return judged
