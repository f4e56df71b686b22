"""Let a trained model see every field in several views."""

import logging
from typing import Any

import pandas as pd

from leukoscope.core.storage import hold
from leukoscope.models.base import Classifier
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.journal import NO_EPOCHS, TrainingJournal
from leukoscope.training.options import ModelOptions

logger = logging.getLogger(__name__)


def prepare_training(
    recipe: dict[str, Any],
    members: dict[str, Classifier],
    member_summaries: dict[str, dict[str, Any]],
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Gather everything that determines the model; nothing of it is trained.

    Args:
        recipe: The views.
        members: The classifier that sees them, by its model's name.
        member_summaries: Of its training, on the present splits.
        splitting: Names the split.
        seed: Of the run.

    Returns:
        The key of the training, and the name of the ``split``.

    Raises:
        InputError: The classifier is not the one that the summary is of.
    """
    from leukoscope.evaluation.compatibility import require_evaluation
    from leukoscope.training.views import describe_key

    ((name, member),) = members.items()
    require_evaluation(name, member.trained_on == member_summaries[name]["splits"])
    return describe_key(recipe, member, seed) | {"split": splitting.split_name}


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    members: dict[str, Classifier],
    member_summaries: dict[str, dict[str, Any]],
    options: ModelOptions,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Put the views before the classifier, which is not trained again.

    Args:
        journal: The started training.
        software: Versions, and the commit.
        members: The classifier, by its model's name.
        member_summaries: Of its training.
        options: The model's entry, for its title.

    Returns:
        The classifier, its history (without a row: there are no epochs) and the summary of its training.
    """
    from leukoscope.models.viewed import ViewedClassifier
    from leukoscope.training.views import describe_training

    ((name, member),) = members.items()
    with hold(journal.home):
        key = journal.key  # refused if another run has started another training since
        journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        classifier = ViewedClassifier(member, key["recipe"]["views"])
        journal.finish_alone({})
        journal.record_model(classifier.fingerprint)
    logger.info("%s: %s sees every field in %s", options.title, name, key["recipe"]["views"])
    summary = describe_training(key, name, member_summaries[name]) | {"provenance": journal.origin}
    return classifier, pd.DataFrame(columns=NO_EPOCHS), summary
