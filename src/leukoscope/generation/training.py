"""The training of a generator: its key, its epochs, and the set that it draws."""

import logging
import time
from typing import Any

import keras
import numpy as np
import pandas as pd

from leukoscope.backend import device, precision
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.generation.dcgan import AdversarialLearner
from leukoscope.generation.ddpm import DiffusionLearner
from leukoscope.generation.diffusion import to_pixels, to_unit
from leukoscope.generation.learner import Learner
from leukoscope.generation.networks import SIDE
from leukoscope.generation.options import GenerationOptions
from leukoscope.images.generated import GeneratedImages, resize_square
from leukoscope.images.packed import PACKED_FORMAT, PackedImages
from leukoscope.training import checkpoint
from leukoscope.training.callbacks import explain_full_disk
from leukoscope.training.journal import TrainingJournal

# Raise by hand when the same key would give another generator.
GENERATION_FORMAT = 1
NAME = "generator"
_LEARNERS: dict[str, type[DiffusionLearner] | type[AdversarialLearner]] = {
    "ddpm": DiffusionLearner,
    "dcgan": AdversarialLearner,
}
# Separate the random draws of each purpose, in addition to the seed.
_STEPS = 0
_JUDGING = 1
_DRAWING = 2
_DRAWN_AT_A_TIME = 256
logger = logging.getLogger(__name__)


def make_key(
    options: GenerationOptions, class_names: list[str], smears: PackedImages, splits: pd.DataFrame, seed: int
) -> dict[str, Any]:
    """Collect everything that determines a generator.

    Args:
        options: Options of generation.
        class_names: The classes in order.
        smears: The packed images.
        splits: The table of splits, which names the training and validation images.
        seed: Seed for everything random.
    """
    hashes = smears.records.set_index("image_id")["sha256"]
    learned = splits.loc[splits["split"].isin(["train", "validation"]), ["image_id", "label", "split"]]
    return {
        "generator": options.determining,
        "class_names": class_names,
        "seed": seed,
        "splits": fingerprint_table(splits),
        "data": {
            "images": fingerprint_table(learned.assign(sha256=learned["image_id"].map(hashes))),
            "size": smears.pixels.shape[1],
            "format": PACKED_FORMAT,
        },
        "format": GENERATION_FORMAT,
        "engine": precision.describe_engine("float32"),
    }


def shrink(smears: PackedImages, images: pd.DataFrame) -> np.ndarray:
    """Return some fields at the generators' size, ``uint8 [n, 64, 64, 3]``.

    Args:
        smears: The packed images.
        images: Which images, by ``image_id``.
    """
    rows = smears.rows(images["image_id"])
    shrunk = np.empty((len(rows), SIDE, SIDE, 3), np.uint8)
    for place, row in enumerate(rows):
        shrunk[place] = resize_square(smears.pixels[row], SIDE)
    return shrunk


def number_classes(images: pd.DataFrame, class_names: list[str]) -> np.ndarray:
    """Return the class index of each image of a table with ``label``."""
    return pd.Index(class_names).get_indexer(images["label"])


def train(smears: PackedImages, splits: pd.DataFrame, options: GenerationOptions, journal: TrainingJournal) -> Learner:
    """Train a generator on the training images, resume its training, or load a finished one from its journal.

    Args:
        smears: The packed images.
        splits: Defines the training images, and the validation images that judge each epoch, without consequence.
        options: Options of generation.
        journal: Journal of the started training, whose key holds classes and seed.

    Raises:
        InputError: A class has no training image, a loss is not a number, or an epoch cannot be kept.
    """
    key = journal.key
    keras.utils.clear_session()
    learner: Learner = _LEARNERS[options.model](len(key["class_names"]), options, key["seed"])
    if journal.finished:
        logger.info("%s: trained before with the same data, parameters and seed, not trained again", learner.title)
        with journal.explain_damage(journal.final_weights):
            checkpoint.load_variables(journal.final_weights, learner.list_weights())
        return learner
    parts = {}
    for name in ("train", "validation"):
        images = splits[splits["split"] == name]
        parts[name] = (shrink(smears, images), number_classes(images, key["class_names"]))
    _require_every_class(parts["train"][1], key["class_names"])
    if journal.epochs:
        logger.info("%s: going on after epoch %d, where it was interrupted", learner.title, journal.epochs)
        with journal.explain_damage(journal.state):
            checkpoint.load_variables(journal.state, learner.list_state())
    for epoch in range(journal.epochs + 1, options.epochs + 1):
        _train_epoch(learner, epoch, options, journal, parts)
    learner.finish()
    summary = _summarise(learner, journal)
    with explain_full_disk("The trained weights", NAME, journal):
        journal.finish(summary, lambda path: checkpoint.save_variables(path, learner.list_weights()))
    return learner


def _train_epoch(
    learner: Learner,
    epoch: int,
    options: GenerationOptions,
    journal: TrainingJournal,
    parts: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    """Train an epoch and keep it; its random draws depend only on the seed and its number."""
    started = time.perf_counter()
    seed = journal.key["seed"]
    generator = np.random.default_rng([seed, _STEPS, epoch])
    images, classes = parts["train"]
    order = generator.permutation(len(images))
    losses = []
    size = min(options.batch_size, len(order))
    for start in range(0, len(order) - size + 1, size):  # images left over wait for another epoch
        chosen = order[start : start + size]
        losses.append(learner.learn(generator, to_unit(turn(images[chosen], generator)), classes[chosen]))
    means = pd.DataFrame(losses).mean()
    if not np.isfinite(means).all():
        raise InputError(
            f"Training {learner.title} stopped: a loss is no longer a number in epoch {epoch}. Try a smaller "
            f"generation.learning_rate ({options.learning_rate:g} now). What was trained until then is in "
            f"{journal.folder}."
        )
    held_out, held_out_classes = parts["validation"]
    judged = learner.judge(np.random.default_rng([seed, _JUDGING]), to_unit(held_out), held_out_classes)
    row = {"epoch": epoch, **{f"train_{name}": value for name, value in means.items()}, "validation_loss": judged}
    with explain_full_disk(f"Epoch {epoch}", NAME, journal):
        journal.keep_state(epoch, lambda path: checkpoint.save_variables(path, learner.list_state()))
        row["seconds"] = time.perf_counter() - started
        journal.append(row)
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in row.items() if "loss" in name)
    logger.info("%s epoch %d/%d: %s; %.1f s", learner.title, epoch, options.epochs, figures, row["seconds"])


def turn(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Mirror each image left-right and top-bottom at random: a field has no upper end.

    Args:
        images: ``[n, height, width, 3]``.
        generator: Generator of the draws.
    """
    mirrored = images.copy()
    for axis in (1, 2):
        chosen = generator.random(len(images)) < 0.5
        mirrored[chosen] = np.flip(mirrored[chosen], axis)
    return mirrored


def draw_set(learner: Learner, key: dict[str, Any], options: GenerationOptions) -> GeneratedImages:
    """Draw the configured number of images of each class.

    Args:
        learner: The trained learner.
        key: Key of its training.
        options: Options of generation.
    """
    class_names = key["class_names"]
    classes = np.repeat(np.arange(len(class_names)), options.images_per_class)
    generator = np.random.default_rng([key["seed"], _DRAWING])
    starts = range(0, len(classes), _DRAWN_AT_A_TIME)
    pixels = np.concatenate(
        [to_pixels(learner.draw(generator, classes[start : start + _DRAWN_AT_A_TIME])) for start in starts]
    )
    facts = {"generator": key["generator"], "seed": key["seed"], "engine": key["engine"]}
    return GeneratedImages(pixels, classes, tuple(class_names), key["splits"], facts)


def _require_every_class(classes: np.ndarray, class_names: list[str]) -> None:
    missing = [name for number, name in enumerate(class_names) if number not in classes]
    if missing:
        raise InputError(
            f"There is no training image of {', '.join(missing)}, so that none can be generated. Give images of every "
            f"class, or set class_names to those that there are."
        )


def _summarise(learner: Learner, journal: TrainingJournal) -> dict[str, Any]:
    history = journal.history()
    return {
        "generator": learner.title,
        "device": device.describe_device(),
        "backend": keras.backend.backend(),
        "parameters": sum(int(np.prod(variable.shape)) for variable in learner.list_weights()),
        "epochs": len(history),
        "seconds": float(history["seconds"].sum()),
        "train_loss": float(history["train_loss"].iloc[-1]),
        "validation_loss": float(history["validation_loss"].iloc[-1]),
    }
