"""Train one network."""

from dataclasses import replace
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.recipe import Recipe, ResolvedRecipe


def resolve_recipe(training: Recipe, options: ModelOptions) -> dict[str, Any]:
    """Join the shared recipe and a model's differences into the recipe in force.

    Args:
        training: The recipe of all models.
        options: The model's entry.

    Returns:
        The ``kind`` with its facts, and the ``recipe`` with nothing left open.

    Raises:
        InputError: The recipe does not fit the model, or a file that training starts from cannot be read.
    """
    options.require_files(training)
    return options.describe_recipe(training)


def prepare_training(
    recipe: dict[str, Any],
    augmentation: AugmentationOptions,
    class_names: list[str],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Gather everything that determines a training, so that it is started, or found to be finished.

    Args:
        recipe: The architecture and the recipe in force.
        augmentation: What is drawn for each image.
        class_names: The classes in order.
        smears: The packed images.
        training_plan: Which images an epoch sees.
        splits: Which images validate.
        splitting: Names the split.
        seed: For everything random in training.

    Returns:
        The key of the training, as ``make_key`` has it, and the name of the ``split``.

    Raises:
        InputError: Images are to be mixed, and the head is to train on features.
    """
    from leukoscope.training.key import make_key

    in_force = ResolvedRecipe.model_validate(recipe["recipe"])
    if augmentation.mixing and in_force.keeps_features:
        raise InputError(
            f"augmentation has {' and '.join(augmentation.mixing)}, which mix images, and the head is to train on "
            f"features that were computed once. Set training.feature_views to null, or leave them out. Nothing was "
            f"trained."
        )
    drawn = augmentation.drawn | augmentation.mixing
    key = make_key(recipe["architecture"], in_force, drawn, class_names, smears, training_plan, splits, seed)
    taught_by = {"teacher": recipe["teacher"]} if "teacher" in recipe else {}
    return key | taught_by | {"split": splitting.split_name}


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    options: ModelOptions,
    teaching: pd.DataFrame | None = None,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train the classifier that a journal's key describes.

    Args:
        journal: The started training.
        software: Versions, and the commit, for a training that has not begun.
        smears: The packed images.
        training_plan: Which images an epoch sees, how often and with what weight.
        splits: Which images validate.
        options: The model's entry, for its name.
        teaching: What a teacher says of the images, if there is one.

    Returns:
        The classifier, its history (one row an epoch) and the summary of its training.
    """
    from leukoscope.training.key import describe_balance, describe_key

    with hold(journal.home):
        key = journal.key  # refused if another run has started another training since
        journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        trainer = _make_trainer(journal, key, smears, training_plan, splits, options.name, teaching)
        classifier = replace(trainer.fit(), trained_on=key["splits"], image_size=key["data"]["size"])
        journal.record_model(classifier.fingerprint)
    facts = describe_key(key) | describe_balance(training_plan)
    return classifier, journal.history(), journal.summary() | facts | {"provenance": journal.origin}


def _make_trainer(
    journal: TrainingJournal,
    key: dict[str, Any],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    name: str,
    teaching: pd.DataFrame | None,
) -> Any:
    from leukoscope.training.distillation import teach
    from leukoscope.training.labelled import LabelledImages
    from leukoscope.training.trainer import Trainer

    validation = splits[splits["split"] == "validation"].assign(repeats=1, weight=1.0)
    training, validation = (
        LabelledImages.from_plan(smears, plan, key["class_names"]) for plan in (training_plan, validation)
    )
    recipe = ResolvedRecipe.model_validate(key["recipe"])
    if recipe.distillation is not None and teaching is not None:
        training = teach(training, training_plan, teaching, key["class_names"], recipe.distillation.temperature)
    return Trainer(
        key["architecture"],
        recipe,
        key["class_names"],
        training,
        validation,
        key["augmentation"],
        journal,
        key["seed"],
        name,
    )
