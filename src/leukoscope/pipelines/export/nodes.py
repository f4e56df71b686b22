"""Write a reader's classifier for small machines, and hold what was written against Keras."""

import json
import logging
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.images.packing import PackedImages
from leukoscope.pipelines.export.options import ExportOptions

logger = logging.getLogger(__name__)

_REPEATS = 5
Predict = Callable[[np.ndarray], np.ndarray]


def export_reader(
    reader: Any, smears: PackedImages, splits: pd.DataFrame, options: ExportOptions, seed: int
) -> Mapping[str, Callable[[], bytes]]:
    """Write the reader's classifier in every format and precision.

    Args:
        reader: Whose classifier.
        smears: The packed images.
        splits: Which of them train.
        options: From how many training images the ranges of int8 are learned.
        seed: For choosing them.

    Returns:
        What makes the content of each file, and of one that describes them, by name.
    """
    from leukoscope.inference.exporting import Exporter

    reader.require_size(smears.pixels.shape[1])
    train = splits.loc[splits["split"] == "train", "image_id"]
    chosen = train.sample(min(options.examples, len(train)), random_state=seed)
    examples = smears.pixels[smears.rows(chosen)]
    exporter = Exporter(reader.classifier, reader.calibration.temperature, reader.describe(), examples)
    files = {
        name: partial(kind.write, exporter, precision)
        for name, (kind, precision) in _name_files(reader.backbone).items()
    }
    return files | {f"{reader.backbone}.json": partial(_as_json, exporter.describe())}


def _as_json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=2).encode()


def check_exports(
    exports: Mapping[str, Callable[[], bytes]],
    reader: Any,
    smears: PackedImages,
    splits: pd.DataFrame,
    options: ExportOptions,
) -> pd.DataFrame:
    """Hold each file against Keras on the validation images: accuracy, probabilities, size and speed.

    Args:
        exports: What loads each file's content.
        reader: Whose classifier they came of.
        smears: The packed images.
        splits: Which of them validate.
        options: What may be lost.

    Returns:
        One row a file, Keras first: ``file, format, precision, mib, accuracy, points_lost`` (hundredths of accuracy),
        ``largest_difference`` (of a probability), ``images_per_second``, ``times_keras`` and ``within`` (whether it
        keeps to what may be lost).
    """
    from leukoscope.evaluation.calibration import apply_temperature

    held = splits[splits["split"] == "validation"]
    places = smears.rows(held["image_id"])
    truth = pd.Index(reader.class_names).get_indexer(held["label"])
    temperature = reader.calibration.temperature

    def predict_with_keras(batch: np.ndarray) -> np.ndarray:
        return apply_temperature(reader.predictor.predict(batch)[0], temperature)

    timed = smears.pixels[places[np.arange(options.timed_images) % len(places)]]
    expected = _predict(predict_with_keras, smears.pixels, places, options.batch_size)
    accuracy = float((expected.argmax(axis=1) == truth).mean())

    def check(name: str, kind: Any, precision: str) -> dict[str, Any]:
        content = exports[name]()
        predict = kind.load(content)
        given = _predict(predict, smears.pixels, places, options.batch_size)
        right = float((given.argmax(axis=1) == truth).mean())
        lost, difference = 100 * (accuracy - right), float(np.abs(given - expected).max())
        keras_speed, speed = _time((predict_with_keras, predict), timed, options.batch_size)
        most = getattr(options.max_difference, precision)
        within = lost <= options.max_points_lost and difference <= most
        if not within:
            logger.warning(
                "%s loses %.2f points of accuracy and differs by up to %.3f: more than export.max_points_lost or "
                "export.max_difference allows",
                name,
                lost,
                difference,
            )
        return {
            "file": name,
            "format": kind.title,
            "precision": precision,
            "mib": len(content) / 2**20,
            "accuracy": right,
            "points_lost": lost,
            "largest_difference": difference,
            "images_per_second": speed,
            "times_keras": speed / keras_speed,
            "within": within,
        }

    speed = _time((predict_with_keras,), timed, options.batch_size)[0]
    own = {"file": "model.keras", "format": "Keras", "precision": "float32"}
    checked = [check(name, *made) for name, made in _name_files(reader.backbone).items()]
    return pd.DataFrame([own | {"accuracy": accuracy, "images_per_second": speed}, *checked])


def _name_files(backbone: str) -> dict[str, tuple[Any, str]]:
    """Name a file for each format and precision."""
    from leukoscope.inference.exporting import FORMATS, PRECISIONS

    both = ((kind, precision) for kind in FORMATS.values() for precision in PRECISIONS)
    return {f"{backbone}-{precision}{kind.suffix}": (kind, precision) for kind, precision in both}


def _predict(predict: Predict, images: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    parts = [predict(images[rows[start : start + batch_size]]) for start in range(0, len(rows), batch_size)]
    return np.concatenate(parts)


def _time(predictors: tuple[Predict, ...], images: np.ndarray, batch_size: int) -> list[float]:
    """Give the images a second of each, in turn, so that what else the machine does weighs on all alike."""
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(_REPEATS):
        for predict, times in zip(predictors, seconds, strict=True):
            started = time.perf_counter()
            _predict(predict, images, np.arange(len(images)), batch_size)
            times.append(time.perf_counter() - started)
    return [len(images) / statistics.median(times) for times in seconds]
