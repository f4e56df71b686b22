"""Let a trained model predict every field from several views."""

import logging
from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.compatibility import require_splits
from leukoscope.models.base import Classifier
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import NO_EPOCHS, TrainingJournal

logger = logging.getLogger(__name__)


def prepare_training(
    recipe: dict[str, Any],
    members: dict[str, Classifier],
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines the model, none of which is trained.

    Args:
        recipe: The views.
        members: The classifier that predicts the views, by its model's name.
        splits: The current splits.
        splitting: Provides the name of the split.
        seed: The run's seed.

    Returns:
        The key of the training, and the name of the ``split``.

    Raises:
        InputError: The classifier was trained on other splits.
    """
    from leukoscope.training.views import describe_key

    ((name, member),) = members.items()
    require_splits(name, member.trained_on == fingerprint_table(splits))
    return describe_key(recipe, name, member, seed) | {"split": splitting.split_name}


def train_classifier(
    journal: TrainingJournal, software: dict[str, Any], members: dict[str, Classifier], options: ModelOptions
) -> tuple[Any, pd.DataFrame]:
    """Wrap the classifier in its views, without training it again.

    Args:
        journal: The started training.
        software: Versions and the commit.
        members: The classifier, by its model's name.
        options: The model's entry, for its title.

    Returns:
        The classifier and its history (empty, since there are no epochs).
    """
    from leukoscope.models.viewed import ViewedClassifier

    ((name, member),) = members.items()
    with journal.hold():
        key = journal.key  # raises if another run has started a different training since
        journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        classifier = ViewedClassifier(member, key["recipe"]["views"])
        journal.finish_alone({})
        journal.record_model(classifier.fingerprint)
    logger.info("%s: %s sees every field in %s", options.title, name, key["recipe"]["views"])
    return classifier, pd.DataFrame(columns=NO_EPOCHS)


def describe_training(journal: TrainingJournal, member_summaries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Summarise the model and its costs.

    Args:
        journal: The journal of the training.
        member_summaries: The summary of the classifier's training, by its model's name.
    """
    from leukoscope.training.views import summarise

    ((name, summary),) = member_summaries.items()
    return summarise(journal.key, name, summary) | {"provenance": journal.origin}
