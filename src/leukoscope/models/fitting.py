"""Fitting a classifier by a recipe."""

import logging
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from leukoscope.errors import InputError
from leukoscope.images.augmentation import RandomAffine
from leukoscope.images.batches import ImageBatches, TrainingBatches
from leukoscope.images.packing import PackedImages
from leukoscope.memory import keep_freed_memory
from leukoscope.models import backend
from leukoscope.models.classifier import Classifier, build_classifier, build_empty, in_float32
from leukoscope.models.journal import TrainingJournal
from leukoscope.models.recipes import ResolvedRecipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledImages:
    """Some rows of the packed array, with what is known about them.

    Attributes:
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: The rows that are meant.
        classes: The number of the class of each of them.
        weights: The weight of each of them in the loss.
    """

    pixels: np.ndarray
    rows: np.ndarray
    classes: np.ndarray
    weights: np.ndarray

    @classmethod
    def from_plan(cls, images: PackedImages, plan: pd.DataFrame, class_names: Sequence[str]) -> "LabelledImages":
        """Look up the images of a table with ``image_id``, ``label``, ``repeats`` and ``weight``."""
        repeats = plan["repeats"].to_numpy()
        classes = plan["label"].map({name: number for number, name in enumerate(class_names)}).to_numpy()
        return cls(
            images.pixels,
            np.repeat(images.rows(plan["image_id"]), repeats),
            np.repeat(classes, repeats),
            np.repeat(plan["weight"].to_numpy(), repeats),
        )


def fit_classifier(
    backbone: str,
    recipe: ResolvedRecipe,
    class_names: Sequence[str],
    training: LabelledImages,
    validation: LabelledImages,
    augmentation: dict[str, Any],
    journal: TrainingJournal,
    seed: int,
) -> Classifier:
    """Train a classifier, or take it from a journal in which the same training is finished.

    Args:
        backbone: A key of ``BACKBONES``.
        recipe: A resolved recipe.
        class_names: The classes in the order of the probabilities.
        training: The images of an epoch.
        validation: The images that early stopping looks at.
        augmentation: The arguments of ``RandomAffine``.
        journal: Takes the history, the best weights and the summary.
        seed: For everything random.

    Returns:
        The classifier in float32, with the best weights if the recipe has a patience, else the last.

    Raises:
        InputError: The loss is no longer a number, or the weights cannot be had.
    """
    keep_freed_memory()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if journal.finished:
        return _recall(backbone, recipe, class_names, journal)
    precision = backend.choose_precision(recipe.precision)
    classifier = build_classifier(backbone, recipe, class_names, seed, precision)
    backend.fuse_batch_norm(classifier.network)
    batches = TrainingBatches(
        training.pixels,
        training.rows,
        training.classes,
        training.weights,
        n_classes=len(class_names),
        batch_size=recipe.batch_size,
        seed=seed,
    )
    model = _attach_augmentation(classifier.network, recipe, augmentation, seed)
    model.compile(
        optimizer=_build_optimizer(recipe, len(batches), precision),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=["accuracy"],
        jit_compile=backend.choose_jit(),
    )
    one_hot = np.eye(len(class_names), dtype="float32")[validation.classes]
    log = _EpochLog(backbone, recipe, classifier.network, journal)
    model.fit(
        batches,
        validation_data=ImageBatches(validation.pixels, validation.rows, one_hot, batch_size=recipe.batch_size),
        epochs=recipe.epochs,
        shuffle=False,
        callbacks=_callbacks(recipe, log),
        verbose=int(sys.stdout.isatty()),
    )
    if recipe.patience is not None:
        classifier.network.load_weights(journal.best_weights)
    if precision != "float32":
        classifier = in_float32(classifier, backbone, recipe)
    journal.write("final.weights.h5", classifier.network.save_weights)
    journal.finish(_summarise(classifier, recipe, precision, journal.history(), len(training.rows)))
    return classifier


def _recall(backbone: str, recipe: ResolvedRecipe, class_names: Sequence[str], journal: TrainingJournal) -> Classifier:
    logger.info(
        "%s: trained before with the same recipe, data and seed, not trained again. Remove %s to train anew.",
        backbone,
        journal.folder,
    )
    for row in journal.history().to_dict("records"):
        _log_epoch(backbone, recipe.epochs, row)
    classifier = build_empty(backbone, recipe, class_names)
    classifier.network.load_weights(journal.folder / "final.weights.h5")
    return classifier


def _attach_augmentation(
    network: keras.Model, recipe: ResolvedRecipe, augmentation: dict[str, Any], seed: int
) -> keras.Model:
    """Put the network's own resizing and the augmentation before it; both models share all weights."""
    images = keras.Input((None, None, 3), name="image")
    resized = keras.layers.Resizing(recipe.input_size, recipe.input_size)(images)
    augmented = RandomAffine(**augmentation, seed=seed, dtype="float32")(resized)
    return keras.Model(images, network(augmented), name=f"{network.name}_training")


def _build_optimizer(recipe: ResolvedRecipe, steps: int, precision: str) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.Adam(_learning_rate(recipe, steps))
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _learning_rate(recipe: ResolvedRecipe, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if recipe.schedule == "constant" and not recipe.warmup_epochs:
        return recipe.learning_rate
    decay = recipe.epochs - recipe.warmup_epochs
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if recipe.warmup_epochs else recipe.learning_rate,
        decay_steps=max(1, decay * steps),
        alpha=0.0 if recipe.schedule == "cosine" else 1.0,
        warmup_target=recipe.learning_rate if recipe.warmup_epochs else None,
        warmup_steps=recipe.warmup_epochs * steps,
    )


def _callbacks(recipe: ResolvedRecipe, log: "_EpochLog") -> list[keras.callbacks.Callback]:
    if recipe.patience is None:
        return [log]
    return [log, keras.callbacks.EarlyStopping(monitor="val_loss", patience=recipe.patience)]


class _EpochLog(keras.callbacks.Callback):
    """Writes each epoch into the journal and the log, keeps the best weights, and stops at a loss of NaN."""

    def __init__(self, backbone: str, recipe: ResolvedRecipe, network: keras.Model, journal: TrainingJournal) -> None:
        super().__init__()
        self.backbone, self.recipe, self.network, self.journal = backbone, recipe, network, journal
        self.best = np.inf

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self._refuse(f"in step {batch + 1} of epoch {len(self.journal.history()) + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        row = {
            "epoch": epoch + 1,
            "train_loss": float(logs["loss"]),
            "train_accuracy": float(logs["accuracy"]),
            "validation_loss": float(logs["val_loss"]),
            "validation_accuracy": float(logs["val_accuracy"]),
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "seconds": time.perf_counter() - self.started,
        }
        self.journal.append(row)
        _log_epoch(self.backbone, self.recipe.epochs, row)
        if not np.isfinite(row["validation_loss"]):
            self._refuse(f"on the validation images after epoch {epoch + 1}")
        if row["validation_loss"] < self.best:
            self.best = row["validation_loss"]
            self.journal.write("best.weights.h5", self.network.save_weights)

    def _refuse(self, where: str) -> None:
        raise InputError(
            f"Training {self.backbone} stopped: the loss is no longer a number {where}. Try a smaller "
            f"learning rate ({self.backbone}.training.learning_rate is {self.recipe.learning_rate:g}), a "
            f"warm-up, or precision float32. What was trained until then is in {self.journal.folder}."
        )


def _log_epoch(backbone: str, epochs: int, row: dict[str, Any]) -> None:
    """Log an epoch as a line to read, with the figures in ``record.epoch`` for whoever tracks them."""
    logger.info(
        "%s epoch %d/%d: loss %.4f, accuracy %.4f; validation loss %.4f, accuracy %.4f; %.1f s",
        backbone,
        row["epoch"],
        epochs,
        row["train_loss"],
        row["train_accuracy"],
        row["validation_loss"],
        row["validation_accuracy"],
        row["seconds"],
        extra={"backbone": backbone, "epoch": row},
    )


def _summarise(
    classifier: Classifier, recipe: ResolvedRecipe, precision: str, history: pd.DataFrame, images: int
) -> dict[str, Any]:
    network = classifier.network
    seconds = statistics.median(history["seconds"])
    return {
        "device": backend.describe_device(),
        "backend": keras.backend.backend(),
        "precision": precision,
        "input_size": recipe.input_size,
        "batch_size": recipe.batch_size,
        "parameters": network.count_params(),
        "trainable_parameters": sum(int(np.prod(one.shape)) for one in network.trainable_variables),
        "model_mib": sum(int(np.prod(one.shape)) for one in network.variables) * 4 / 2**20,
        "epochs": len(history),
        "best_epoch": int(history.loc[history["validation_loss"].idxmin(), "epoch"]),
        "seconds_per_epoch": seconds,
        "images_per_second": images / seconds,
        "seconds": float(history["seconds"].sum()),
        "peak_memory_mib": backend.peak_memory_mib(),
    }
