"""Train one backbone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_files, fingerprint_table
from leukoscope.core.storage import hold
from leukoscope.figures import Figure
from leukoscope.images.packing import PACKED_FORMAT, PackedImages
from leukoscope.models.architecture import BACKBONES
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.training.options import BackboneOptions
from leukoscope.training.journal import TRAINING_FORMAT, TrainingJournal
from leukoscope.training.recipe import Recipe, ResolvedRecipe, require_weights, resolve_recipe


def prepare_training(
    training: Recipe,
    options: BackboneOptions,
    augmentation: AugmentationOptions,
    class_names: list[str],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    seed: int,
) -> dict[str, Any]:
    """Gather everything that determines a training, so that it is started, or found to be finished.

    Args:
        training: The recipe of all backbones.
        options: This backbone's differences.
        augmentation: What is drawn for each image.
        class_names: The classes in order.
        smears: The packed images.
        training_plan: Which images an epoch sees.
        splits: Which images validate.
        seed: For everything random in training.

    Returns:
        The key of the training: backbone, recipe in force, augmentation, classes, seed, data, the format of trainings,
        and the engine that computes.

    Raises:
        InputError: The recipe does not fit the backbone, or its weights file cannot be read.
    """
    from leukoscope.backend import precision

    recipe = resolve_recipe(options.backbone, training, options.training)
    require_weights(options.backbone, recipe)
    weights = Path(recipe.weights)
    hashes = smears.records.set_index("image_id")["sha256"]
    seen = [training_plan, splits.loc[splits["split"] == "validation", ["image_id", "label"]]]
    seen = [table.assign(sha256=table["image_id"].map(hashes)) for table in seen]
    return {
        "backbone": options.backbone,
        "recipe": recipe.model_dump(),
        "weights": fingerprint_files([weights]) if weights.is_file() else None,
        "augmentation": augmentation.drawn,
        "class_names": class_names,
        "seed": seed,
        "splits": fingerprint_table(splits),
        "data": {
            "images": [fingerprint_table(table) for table in seen],
            "size": smears.pixels.shape[1],
            "format": PACKED_FORMAT,
        },
        "format": TRAINING_FORMAT,
        "engine": precision.describe_engine(recipe.precision),
    }


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train the classifier that a journal's key describes.

    Args:
        journal: The started training.
        software: Versions, and the commit, for a training that has not begun.
        smears: The packed images.
        training_plan: Which images an epoch sees, how often and with what weight.
        splits: Which images validate.

    Returns:
        The classifier, its history (one row an epoch) and the summary of its training.
    """
    with hold(journal.folder):
        key = journal.key  # refused if another run has started another training since
        journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        trainer = _make_trainer(journal, key, smears, training_plan, splits)
        classifier = replace(trainer.fit(), trained_on=key["splits"], image_size=key["data"]["size"])
    facts = _describe_key(key) | _describe_balance(training_plan)
    return classifier, journal.history(), journal.summary() | facts | {"provenance": journal.origin}


def _make_trainer(
    journal: TrainingJournal,
    key: dict[str, Any],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
) -> Any:
    from leukoscope.training.labelled import LabelledImages
    from leukoscope.training.trainer import Trainer

    validation = splits[splits["split"] == "validation"].assign(repeats=1, weight=1.0)
    training, validation = (
        LabelledImages.from_plan(smears, plan, key["class_names"]) for plan in (training_plan, validation)
    )
    return Trainer(
        key["backbone"],
        ResolvedRecipe.model_validate(key["recipe"]),
        key["class_names"],
        training,
        validation,
        key["augmentation"],
        journal,
        key["seed"],
    )


def _describe_key(key: dict[str, Any]) -> dict[str, Any]:
    """Say what a training came from, for its summary: a weights file by its name and hash."""
    recipe, file_hash = key["recipe"], key["weights"]
    weights = f"{Path(recipe['weights']).name} (SHA-256 {file_hash}...)" if file_hash else recipe["weights"]
    names = ("trainable", "learning_rate", "schedule", "warmup_epochs", "head_epochs", "dropout", "label_smoothing")
    unset = {"clip_norm": "none", "ema_momentum": "none", "batch_norm_momentum": "the backbone's own"}
    unset |= {"patience": "none: never stopped early"}
    facts = {name: recipe[name] for name in names}
    facts |= {name: words if recipe[name] is None else recipe[name] for name, words in unset.items()}
    best = recipe["patience"] is not None
    return facts | {
        "weights": weights,
        "optimizer": "AdamW" if recipe["weight_decay"] else "Adam",
        "weight_decay": recipe["weight_decay"],
        "loss": "categorical cross-entropy",
        "epochs_at_most": recipe["epochs"],
        "final_weights": "of the epoch with the lowest validation loss" if best else "of the last epoch",
        "seed": str(key["seed"]),
        "augmentation": key["augmentation"],
        "splits": key["splits"],
    }


def _describe_balance(training_plan: pd.DataFrame) -> dict[str, Any]:
    """Say how training met the classes' imbalance, from the images that an epoch saw and their weights in the loss."""
    classes = training_plan.groupby("label", sort=False)
    seen, weights = classes["repeats"].sum(), classes["weight"].mean()
    if (training_plan["repeats"] > 1).any():
        balance = "oversampling: images of smaller classes are seen more than once an epoch"
    elif training_plan["weight"].nunique() > 1:
        balance = "class weights in the loss"
    else:
        balance = "none: every training image once an epoch, with equal weight"
    return {
        "class_balance": balance,
        "training_images": {str(name): int(count) for name, count in classes.size().items()},
        "images_an_epoch": {str(name): int(count) for name, count in seen.items()},
        "weights_in_the_loss": {str(name): float(weight) for name, weight in weights.items()},
    }


def draw_learning_curves(history: pd.DataFrame, options: BackboneOptions) -> Figure:
    """Draw accuracy and loss over the epochs.

    Args:
        history: One row an epoch.
        options: Names the backbone.
    """
    from leukoscope.figures import curves

    return curves.draw_learning_curves(history, BACKBONES[options.backbone].title)
