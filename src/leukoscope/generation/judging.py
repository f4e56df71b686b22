"""Compare a generated set with real images: the figures of its report."""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from leukoscope.core.errors import InputError
from leukoscope.core.options import plain_name
from leukoscope.evaluation.generated import (
    Discrepancy,
    average,
    find_nearest,
    judge_by_classifier,
    measure_kid,
    measure_memorisation,
)
from leukoscope.features.colour import measure_hue_band
from leukoscope.generation.learner import predict_in_parts
from leukoscope.generation.options import JudgeOptions
from leukoscope.images.generated import GeneratedImages
from leukoscope.models import architecture
from leukoscope.models.imported import find_pixels
from leukoscope.models.initialisation import initialise
from leukoscope.models.weights import build_trunk


class Sample(NamedTuple):
    """Some images with their classes and features.

    Attributes:
        pixels: ``uint8 [n, side, side, 3]``.
        classes: The class index of each image.
        features: The judge's features, ``float32 [n, channels]``.
    """

    pixels: np.ndarray
    classes: np.ndarray
    features: np.ndarray


def build_judge(options: JudgeOptions, side: int, seed: int) -> keras.Model:
    """Build the network whose features compare images: ``[batch, side, side, 3]`` in 0-255 to ``[batch, channels]``.

    Args:
        options: Defines the architecture and its weights.
        side: Side of the images, in pixels.
        seed: Seed of random weights.

    Raises:
        InputError: The weights are unavailable, or the architecture needs larger images.
    """
    row = architecture.get(options.architecture)
    size = options.input_size or row.input_size
    if size < row.smallest_input:
        raise InputError(
            f"generation.judge.input_size is {size} pixels; {row.title} needs {row.smallest_input} or more. Nothing "
            f"was judged."
        )
    row = architecture.scale_pixels(row, find_pixels(Path(options.weights)))
    images = keras.Input((side, side, 3), name="image")
    resized = layers.Resizing(size, size)(images, training=False)
    trunk = build_trunk(row, options.weights, row.preprocess(resized))
    if options.weights == "none":
        initialise(trunk, row, seed)
    maps = trunk.output
    features = layers.GlobalAveragePooling2D()(maps) if len(maps.shape) == 4 else maps
    return keras.Model(images, features, name="judge")


def describe(judge: keras.Model, pixels: np.ndarray, classes: np.ndarray) -> Sample:
    """Compute the judge's features of some images."""
    return Sample(pixels, classes, predict_in_parts(judge, pixels))


def judge_set(
    generated: GeneratedImages, drawn: Sample, training: Sample, validation: Sample, options: JudgeOptions, seed: int
) -> dict[str, Any]:
    """Compute all figures of a generated set.

    Args:
        generated: The generated set.
        drawn: Its images.
        training: The real images that the generator was trained on.
        validation: Real images that the generator has not seen.
        options: Options of the judge, for its name.
        seed: Seed of the KID's subsets.

    Returns:
        The figures by name, as explained in docs/generation.md.
    """
    numbers = range(len(generated.class_names))
    likeness = {"kid": _compare_classes(drawn, training, numbers, seed)}
    likeness["kid_validation"] = _compare_classes(validation, training, numbers, seed)
    figures: dict[str, Any] = {"judge": _name_judge(options), "splits": generated.splits, "images": len(drawn.pixels)}
    figures |= {name: part.value for name, part in likeness.items()}
    figures |= {f"{name}_error": part.error for name, part in likeness.items() if np.isfinite(part.error)}
    figures |= _judge_memory(drawn, training, validation)
    for name, learned in (("generated", drawn), ("real", training)):
        accuracy = judge_by_classifier(learned.features, learned.classes, validation.features, validation.classes)
        figures[f"accuracy_trained_on_{name}"] = accuracy
    return figures | _measure_stain(generated.class_names, drawn, training)


def _name_judge(options: JudgeOptions) -> str:
    row = architecture.get(options.architecture)
    weights = {"imagenet": "ImageNet weights", "none": "random weights"}
    return f"{row.title}, {weights.get(options.weights, f'weights of {Path(options.weights).name}')}"


def _compare_classes(ours: Sample, others: Sample, numbers: range, seed: int) -> Discrepancy:
    """Compare class by class, so that class proportions do not matter."""
    pairs = [(ours.features[ours.classes == number], others.features[others.classes == number]) for number in numbers]
    return average(
        [measure_kid(generated, real, seed=seed) for generated, real in pairs if min(len(generated), len(real)) > 1]
    )


def _judge_memory(drawn: Sample, training: Sample, validation: Sample) -> dict[str, float]:
    """Measure how many images are copies: pixel by pixel, including mirrored ones, and by the judge's features."""
    mirrored = [training.pixels, training.pixels[:, :, ::-1], training.pixels[:, ::-1], training.pixels[:, ::-1, ::-1]]
    figures = {}
    for name, known in (("pixels", mirrored), ("features", [training.features])):
        distances = []
        for sample in (drawn, validation):
            distances.append(np.min([find_nearest(getattr(sample, name), images) for images in known], axis=0))
        figures[f"memorised_by_{name}"] = measure_memorisation(*distances)
    return figures


def _measure_stain(class_names: tuple[str, ...], drawn: Sample, training: Sample) -> dict[str, float]:
    """Return the mean share of a class's fields in the hue band by which the data set's authors segmented cells."""
    figures = {}
    for number, class_name in enumerate(class_names):
        for name, sample in (("generated", drawn), ("real", training)):
            shares = [measure_hue_band(image) for image in sample.pixels[sample.classes == number]]
            figures[f"hue_band_{name}_{plain_name(class_name)}"] = float(np.mean(shares))
    return figures
