"""Train a network."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.features.macenko import FITTED_BY, MacenkoTarget
from leukoscope.features.normalisation import StainTarget
from leukoscope.images.generated import GeneratedImages
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.augmentation_options import ResolvedAugmentation
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.recipe import HEAD, Recipe, ResolvedRecipe

if TYPE_CHECKING:
    from leukoscope.models.network import Classifier
    from leukoscope.training.trainer import Trainer

_MOST_MEASURED = 256  # at most this many training images, since measuring colours takes seconds


class Training(Protocol):
    """A trainer of a network."""

    def fit(self) -> "Classifier":
        """Train the network, or load it if it is already trained."""
        ...


def resolve_recipe(training: Recipe, options: ModelOptions) -> dict[str, Any]:
    """Merge the shared recipe and a model's differences into the recipe in force.

    Args:
        training: The recipe shared by all models.
        options: The model's entry.

    Returns:
        The ``kind`` with its facts, and the fully resolved ``recipe``.

    Raises:
        InputError: The recipe does not fit the model, or a file that training starts from cannot be read.
    """
    options.require_files(training)
    return options.describe_recipe(training)


def resolve_augmentation(
    augmentation: AugmentationOptions,
    options: ModelOptions,
    recipe: dict[str, Any],
    class_names: list[str],
    splits: pd.DataFrame,
    generated: GeneratedImages | None,
) -> ResolvedAugmentation:
    """Merge the shared augmentation and a model's differences, and check that their requirements are met.

    Args:
        augmentation: The augmentation shared by all models.
        options: The model's entry.
        recipe: The resolved recipe, as returned by ``resolve_recipe``.
        class_names: The classes in order.
        splits: Which images are in the training split.
        generated: The generated images, if there are any.

    Raises:
        InputError: Images are to be mixed or replaced, but the head trains on features; or generated images are to
            replace real ones, but there are none, or they have other classes or splits.
    """
    joined = options.join_augmentation(augmentation)
    in_force = ResolvedRecipe.model_validate(recipe["recipe"])
    if joined.synthetic and in_force.distillation is not None:
        raise InputError(
            f"{options.name} is to learn from another model, which has not seen generated images, and "
            f"augmentation.synthetic is {joined.synthetic:g}. Set one of them to nothing. Nothing was trained."
        )
    changing = [*joined.mixing, *(["synthetic"] if joined.synthetic else [])]
    if changing and in_force.keeps_features:
        raise InputError(
            f"augmentation has {' and '.join(changing)}, which change batches of images, and the head is to train on "
            f"features that were computed once. Set training.feature_views to null, or leave them out. Nothing was "
            f"trained."
        )
    if in_force.feature_stains and not (joined.stain or joined.brightness):
        raise InputError(
            f"training.feature_stains is {in_force.feature_stains} for {options.name}, and augmentation.stain and "
            f"brightness are 0, so that the copies would be like the images. Set models.{options.name}.augmentation."
            f"stain=0.3 for one. Nothing was trained."
        )
    facts = joined.model_dump(exclude={"balance"})
    if not joined.synthetic:
        return ResolvedAugmentation(**facts)
    if generated is None:
        raise InputError(
            f"augmentation.synthetic is {joined.synthetic:g} for {options.name}, and there are no generated images. "
            f"Run the pipeline generate first, or set augmentation.synthetic to 0. Nothing was trained."
        )
    generated.require_fitting(class_names, fingerprint_table(splits))
    return ResolvedAugmentation(**facts, generated=generated.fingerprint)


def prepare_training(
    recipe: dict[str, Any],
    augmentation: ResolvedAugmentation,
    class_names: list[str],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines a training, so that it can be started or recognised as finished.

    Args:
        recipe: The architecture and the recipe in force.
        augmentation: The random augmentation of each image.
        class_names: The classes in order.
        smears: The packed images.
        training_plan: The images shown in an epoch.
        splits: Which images are in the validation split.
        splitting: Provides the name of the split.
        seed: Random seed of the training.

    Returns:
        The key of the training, as returned by ``make_key``, and the name of the ``split``.
    """
    from leukoscope.training.key import make_key

    in_force = ResolvedRecipe.model_validate(recipe["recipe"])
    drawn = augmentation.drawn | augmentation.mixing
    key = make_key(recipe["architecture"], in_force, drawn, class_names, smears, training_plan, splits, seed)
    if augmentation.synthetic:
        key["synthetic"] = {"share": augmentation.synthetic, "images": augmentation.generated}
    if in_force.normalisation != "none":
        key["stain_target"] = _measure_target(in_force.normalisation, smears, training_plan)._asdict()
    taught_by = {"teacher": recipe["teacher"]} if "teacher" in recipe else {}
    return key | taught_by | {"split": splitting.split_name}


def _measure_target(method: str, smears: PackedImages, training_plan: pd.DataFrame) -> StainTarget | MacenkoTarget:
    """Measure the common stain of the training images, on an evenly spaced selection of limited size."""
    names = training_plan["image_id"].iloc[:: -(-len(training_plan) // _MOST_MEASURED)]
    return FITTED_BY[method](smears.pixels[row] for row in smears.rows(names))


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    options: ModelOptions,
    generated: GeneratedImages | None = None,
    teaching: pd.DataFrame | None = None,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train the classifier that a journal's key describes.

    Args:
        journal: The started training.
        software: Versions and the commit, recorded when the training begins.
        smears: The packed images.
        training_plan: The images shown in an epoch, how often and with what weight.
        splits: Which images are in the validation split.
        options: The model's entry, for its name.
        generated: The generated images that replace some of the real ones, if the key says so.
        teaching: The teacher's predictions on the images, if there is a teacher.

    Returns:
        The classifier, its history (one row per epoch) and the summary of its training.
    """
    return finish_training(
        journal,
        software,
        training_plan,
        lambda key: make_trainer(journal, key, smears, training_plan, splits, options.name, generated, teaching),
    )


def finish_training(
    journal: TrainingJournal,
    software: dict[str, Any],
    training_plan: pd.DataFrame,
    make_trainer: Callable[[dict[str, Any]], Training],
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train with the trainer made for a journal's key; for other arguments and the result see ``train_classifier``."""
    from leukoscope.training.key import describe_balance, describe_key

    with journal.hold():
        key = journal.key  # raises if another run has started a different training since
        journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        trainer = make_trainer(key)
        network = replace(trainer.fit(), trained_on=key["splits"], image_size=key["data"]["size"])
        classifier = _add_cells(network, key) if "cells" in key["data"] else network
        journal.record_model(classifier.fingerprint)
    facts = describe_key(key) | describe_balance(training_plan)
    return classifier, journal.history(), journal.summary() | facts | {"provenance": journal.origin}


def _add_cells(network: Any, key: dict[str, Any]) -> Any:
    """Combine a network that reads single cells with the detector that finds them."""
    from leukoscope.cells.strips import Cutting
    from leukoscope.models.cell_classifier import CellClassifier

    cutting = Cutting.restore(key["data"]["cells"])
    frozen = key["recipe"]["trainable"] == HEAD
    return CellClassifier(network, cutting, key["architecture"], frozen=frozen)


def make_trainer(
    journal: TrainingJournal,
    key: dict[str, Any],
    smears: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    name: str,
    generated: GeneratedImages | None,
    teaching: pd.DataFrame | None,
) -> "Trainer":
    """Make the trainer for a key; ``name`` is the model's, for other arguments see ``train_classifier``."""
    from leukoscope.training.distillation import teach
    from leukoscope.training.labelled import LabelledImages
    from leukoscope.training.trainer import Trainer

    validation = splits[splits["split"] == "validation"].assign(repeats=1, weight=1.0)
    training, validation = (
        LabelledImages.from_plan(smears, plan, key["class_names"]) for plan in (training_plan, validation)
    )
    if "synthetic" in key:
        training = replace(training, substitution=_substitute(key["synthetic"], generated))
    recipe = ResolvedRecipe.model_validate(key["recipe"] | {"stain_target": key.get("stain_target")})
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


def _substitute(chosen: dict[str, Any], generated: GeneratedImages | None) -> Any:
    """Substitute the generated images that a key names for a share of the real ones."""
    from leukoscope.training.substitution import Substitution

    if generated is None or generated.fingerprint != chosen["images"]:
        raise InputError(
            f"The training was prepared with the generated images {chosen['images']}, and others are there now. Run "
            f"the same command again."
        )
    return Substitution(generated, chosen["share"])
