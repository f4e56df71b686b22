"""The key that determines a training, and its description for the summary."""

from pathlib import Path
from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_files, fingerprint_table
from leukoscope.evaluation.confirmation import fingerprint_recipe
from leukoscope.features.macenko import restore_target
from leukoscope.images.packed import PACKED_FORMAT, PackedImages
from leukoscope.training.journal import TRAINING_FORMAT
from leukoscope.training.recipe import LBFGS, ResolvedRecipe


def make_key(
    architecture: str,
    recipe: ResolvedRecipe,
    augmentation: dict[str, Any],
    class_names: list[str],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines a training; its model's name is not part of it.

    Args:
        architecture: Name of a registered architecture, including its attention if any.
        recipe: The recipe in effect.
        augmentation: The augmentation drawn for each image.
        class_names: The classes in order.
        smears: The packed images.
        training_plan: The images of an epoch.
        splits: The table of splits, which names the validation images.
        seed: Seed for everything random in training.

    Returns:
        Architecture, recipe, weights file, augmentation, classes, seed, splits, data, the training format, and the
        engine that computes it.
    """
    from leukoscope.backend import precision

    weights = Path(recipe.weights)
    hashes = smears.records.set_index("image_id")["sha256"]
    validation = splits.loc[splits["split"] == "validation", ["image_id", "label"]]
    tables = [table.assign(sha256=table["image_id"].map(hashes)) for table in (training_plan, validation)]
    return {
        "architecture": architecture,
        "recipe": recipe.determining,
        "weights": fingerprint_files([weights]) if weights.is_file() else None,
        "augmentation": augmentation,
        "class_names": class_names,
        "seed": seed,
        "splits": fingerprint_table(splits),
        "data": {
            "images": [fingerprint_table(table) for table in tables],
            "size": smears.pixels.shape[1],
            "format": PACKED_FORMAT,
        },
        "format": TRAINING_FORMAT,
        "engine": precision.describe_engine(recipe.precision),
    }


def describe_key(key: dict[str, Any]) -> dict[str, Any]:
    """Describe the origin of a training for its summary; a weights file is given by its name and hash."""
    recipe = key["recipe"]
    file_hash = key["weights"]
    weights = f"{Path(recipe['weights']).name} (SHA-256 {file_hash}...)" if file_hash else recipe["weights"]
    names = ("trainable", "learning_rate", "schedule", "warmup_epochs", "head_epochs", "dropout", "label_smoothing")
    unset = {"clip_norm": "none", "ema_momentum": "none", "batch_norm_momentum": "the architecture's own"}
    unset |= {"patience": "none: never stopped early"}
    facts = {name: recipe[name] for name in names}
    facts |= {name: words if recipe[name] is None else recipe[name] for name, words in unset.items()}
    facts |= {
        name: recipe[name]
        for name in (
            "block_rates",
            "epoch_decay",
            "pixels",
            "head_norm",
            "feature_stains",
            "centre_crop",
            "normalisation",
        )
        if name in recipe
    }
    facts |= {"synthetic": key["synthetic"]} if "synthetic" in key else {}
    if "stain_target" in key:  # by name: pages show tables of numbers, but no lists
        facts["stain_target"] = restore_target(key["stain_target"]).describe()
    best = recipe["patience"] is not None
    return facts | {
        "weights": weights,
        "optimizer": _name_optimizer(recipe),
        "weight_decay": recipe["weight_decay"],
        "loss": _describe_loss(recipe),
        "epochs_at_most": recipe["epochs"],
        "final_weights": "of the epoch with the lowest validation loss" if best else "of the last epoch",
        "seed": str(key["seed"]),
        "augmentation": key["augmentation"],
        "splits": key["splits"],
        "recipe_fingerprint": fingerprint_recipe(key),
    }


def _describe_loss(recipe: dict[str, Any]) -> str:
    distillation = recipe.get("distillation")
    if distillation is None:
        return "categorical cross-entropy"
    return (
        f"{1 - distillation['share']:g} of categorical cross-entropy, and {distillation['share']:g} of the divergence "
        f"of {distillation['teacher']}'s probabilities of the images as they are, at the temperature "
        f"{distillation['temperature']:g}"
    )


def _name_optimizer(recipe: dict[str, Any]) -> str:
    if recipe.get("optimizer") == LBFGS:
        return "L-BFGS, to where the loss is lowest; the weight decay is the factor of half the kernel's squares"
    if recipe.get("optimizer", "adam") == "sgd":
        return f"SGD with momentum {recipe.get('momentum', 0.9)}"
    return "AdamW" if recipe["weight_decay"] else "Adam"


def describe_balance(training_plan: pd.DataFrame) -> dict[str, Any]:
    """Describe how training handled class imbalance, from the images of an epoch and their weights in the loss."""
    classes = training_plan.groupby("label", sort=False)
    repeats = classes["repeats"].sum()
    weights = classes["weight"].mean()
    if (training_plan["repeats"] > 1).any():
        balance = "oversampling: images of smaller classes are seen more than once an epoch"
    elif training_plan["weight"].nunique() > 1:
        balance = "class weights in the loss"
    else:
        balance = "none: every training image once an epoch, with equal weight"
    return {
        "class_balance": balance,
        "training_images": {str(name): int(count) for name, count in classes.size().items()},
        "images_an_epoch": {str(name): int(count) for name, count in repeats.items()},
        "weights_in_the_loss": {str(name): float(weight) for name, weight in weights.items()},
    }
