"""Train a generator on the training images, generate a set of images, and judge the set."""

from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.storage import hold
from leukoscope.figures import Figure
from leukoscope.generation.options import GenerationOptions
from leukoscope.images.generated import GeneratedImages
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.journal import TrainingJournal

_SHOWN = 8


def prepare_generation(
    generation: GenerationOptions,
    class_names: list[str],
    smears: PackedImages,
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines a generator, so that training can be started or recognised as finished.

    Args:
        generation: How the generator is trained.
        class_names: The classes in order.
        smears: The packed images.
        splits: Which images are in the training split.
        splitting: Provides the name of the split.
        seed: Random seed.

    Returns:
        The key of the training, and the name of the ``split``.

    Raises:
        InputError: The judge's weights are unavailable, which would otherwise show only after training.
    """
    from leukoscope.generation.judging import build_judge
    from leukoscope.generation.networks import SIDE
    from leukoscope.generation.training import make_key

    build_judge(generation.judge, SIDE, seed)
    return make_key(generation, class_names, smears, splits, seed) | {"split": splitting.split_name}


def generate_images(
    generator_journal: TrainingJournal,
    software: dict[str, Any],
    smears: PackedImages,
    splits: pd.DataFrame,
    generation: GenerationOptions,
) -> tuple[GeneratedImages, dict[str, Any]]:
    """Train the generator that a journal's key describes, and generate a set of images.

    Args:
        generator_journal: The started training.
        software: Versions and the commit, recorded when the training begins.
        smears: The packed images.
        splits: Which images are in the training split.
        generation: How many images to generate.

    Returns:
        The generated set and the summary of the training.
    """
    from leukoscope.generation.training import draw_set, train

    with hold(generator_journal.home):
        key = generator_journal.key  # raises if another run has started a different training since
        generator_journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
        learner = train(smears, splits, generation, generator_journal)
        generated = draw_set(learner, key, generation)
    return generated, generator_journal.summary() | {"provenance": generator_journal.origin}


def judge_generated(
    generated_images: GeneratedImages,
    smears: PackedImages,
    splits: pd.DataFrame,
    generation: GenerationOptions,
    seed: int,
) -> dict[str, Any]:
    """Compare the generated set with the images that its generator was trained on, and with images it never saw.

    Args:
        generated_images: The generated set.
        smears: The packed images.
        splits: Which images were in the training split.
        generation: Names the judge.
        seed: Random seed of the judge.

    Returns:
        The metrics explained in docs/generation.md.

    Raises:
        InputError: The generator was trained on other splits, or the judge's weights are unavailable.
    """
    from leukoscope.core.fingerprint import fingerprint_table
    from leukoscope.generation import judging, training

    names = list(generated_images.class_names)
    generated_images.require_fitting(names, fingerprint_table(splits))
    judge = judging.build_judge(generation.judge, training.SIDE, seed)
    drawn = judging.describe(judge, generated_images.pixels, generated_images.classes)
    real = {}
    for split in ("train", "validation"):
        images = splits[splits["split"] == split]
        classes = training.number_classes(images, names)
        real[split] = judging.describe(judge, training.shrink(smears, images), classes)
    return judging.judge_set(generated_images, drawn, real["train"], real["validation"], generation.judge, seed)


def draw_generated(generated_images: GeneratedImages, smears: PackedImages, splits: pd.DataFrame) -> Figure:
    """Draw generated images of each class below real ones of the same size.

    Args:
        generated_images: The generated set.
        smears: The packed images.
        splits: Which images were in the training split.
    """
    from leukoscope.figures import montages
    from leukoscope.generation import training

    training_images = splits[splits["split"] == "train"]
    rows = []
    titles = []
    for number, name in enumerate(generated_images.class_names):
        real = training.shrink(smears, training_images[training_images["label"] == name].head(_SHOWN))
        drawn = generated_images.pixels[generated_images.classes == number][:_SHOWN]
        rows += [_fill(real), _fill(drawn)]
        titles += [f"{name}, real", f"{name}, generated"]
    return montages.draw_grid(np.stack(rows), titles, [""] * _SHOWN)


def _fill(images: np.ndarray) -> np.ndarray:
    """Pad a row of the figure with white images if a class has too few."""
    missing = _SHOWN - len(images)
    return np.concatenate([images, np.full((missing, *images.shape[1:]), 255, images.dtype)])
