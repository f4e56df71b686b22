"""Run a reader's network by ONNX Runtime instead of Keras, where both were shown to agree.

ONNX Runtime loads in a fraction of the seconds that Keras and TensorFlow take. The file lies in a folder with
``engine.json``, which records the model it was exported from, its difference from Keras, and its hash.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import psutil

from leukoscope.core.counts import count_of
from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.core.storage import describe_fault, write_folder_whole, write_json
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import NETWORK, NetworkClassifier
from leukoscope.models.onnx_network import OnnxClassifier
from leukoscope.reader.base import Reader

logger = logging.getLogger(__name__)

MODEL = "model.onnx"
FACTS = "engine.json"
# Part of an engine's identity: increase it if the same model would be exported or checked differently.
_FORMAT = 1
# Largest allowed differences from Keras: of a calibrated probability, and of an out-of-distribution score relative to
# the score or to 1.
_MOST_PROBABILITY = 1e-4
_MOST_OOD = 1e-3
_IMAGES = 64
# Memory that an export needs, in multiples of the weights (measured: 11 for ResNet50, 10 for NASNetLarge).
_COPIES = 12
_NEEDED = ("format", "model", "onnxruntime", "class_names", "trained_on", "image_size", "fault")


class EnginePlan(NamedTuple):
    """The engine that should run a reader.

    Attributes:
        reader: The reader, with its classifier.
        choice: ``keras``; ``onnx``, with an error if that is impossible; ``auto``: ONNX if possible.
        smears: Packed images, which may include those that the reader was calibrated on.
    """

    reader: Reader
    choice: str
    smears: PackedImages | None


class Agreement(NamedTuple):
    """The differences between an engine and Keras on the same images.

    Attributes:
        images: Description of the images.
        probability: The largest difference of a calibrated probability.
        ood_score: The largest difference of an out-of-distribution score, relative to the score or to 1.
        opinions: Number of opinions that differ, among images on which allowed differences cannot change the opinion.
    """

    images: str
    probability: float
    ood_score: float
    opinions: int

    @property
    def holds(self) -> bool:
        """Whether the engine may replace Keras."""
        return self.probability <= _MOST_PROBABILITY and self.ood_score <= _MOST_OOD and not self.opinions

    @classmethod
    def measure(cls, reader: Reader, engine: OnnxClassifier, images: str, pixels: np.ndarray) -> Self:
        """Compare the opinions of both on images, ``uint8 [n, size, size, 3]``."""
        by_keras = reader.answered_by(None).calibrated
        by_engine = reader.answered_by(engine).calibrated
        expected = by_keras.predict(pixels)
        predicted = by_engine.predict(pixels)
        probabilities = by_keras.calibrate(expected)
        scores = expected.ood.score
        apart = np.abs(predicted.ood.score - scores) / np.maximum(scores, 1)
        columns = ["opinion", "reason"]
        opinions = by_keras.form_opinions(expected)
        others = by_engine.form_opinions(predicted)
        differ = (opinions[columns] != others[columns]).any(axis=1).to_numpy()
        return cls(
            images,
            float(np.abs(by_engine.calibrate(predicted) - probabilities).max()),
            float(apart.max()),
            int((differ & _are_decided(reader, probabilities, scores)).sum()),
        )


def _are_decided(reader: Reader, probabilities: np.ndarray, ood_scores: np.ndarray) -> np.ndarray:
    """Return which opinions no allowed difference could change: limits are learned from these very images."""
    likeliest = np.sort(probabilities, axis=1)[:, -2:]
    calibration = reader.calibration
    clear = likeliest[:, 1] - likeliest[:, 0] > 2 * _MOST_PROBABILITY
    sure = np.abs(likeliest[:, 1] - calibration.threshold) > _MOST_PROBABILITY
    return clear & sure & (np.abs(ood_scores - calibration.ood_limit) > _MOST_OOD * np.maximum(ood_scores, 1))


def prepare_engine(plan: EnginePlan, folder: Path) -> None:
    """Write a reader's engine into a folder, unless the folder has it already or Keras is to be used.

    Args:
        plan: The reader and the choice of engine.
        folder: The engine's folder, which is written completely or not at all.

    Raises:
        InputError: ONNX was requested, but is unavailable here or does not agree with Keras.
    """
    is_network = plan.reader.classifier.place == NETWORK
    if plan.choice == "keras" or (plan.choice == "auto" and not is_network):
        return
    try:
        if not is_network:
            raise InputError(f"{plan.reader.title} is no network, and only networks answer by ONNX: set reader.engine.")
        identity = _identify(plan.reader)
        if not _holds(folder, identity):
            logger.info("%s is exported to ONNX, once: opinions need not wait for Keras then", plan.reader.title)
            write_folder_whole(folder, partial(_write, plan, identity))
        fault = _read_facts(folder)["fault"]
        if fault:
            raise InputError(f"{plan.reader.title} cannot answer by ONNX Runtime: {fault}.")
    except InputError as error:
        if plan.choice == "onnx":
            raise
        logger.info("%s Keras answers", error)


def load_engine(folder: Path) -> OnnxClassifier | None:
    """Load the engine from a folder.

    Returns:
        The engine; ``None`` if there is none, if it did not agree with Keras, or was checked with another ONNX Runtime.

    Raises:
        InputError: The engine is damaged.
    """
    if not (folder / FACTS).exists():
        return None
    facts = _read_facts(folder)
    if facts["fault"] or facts["onnxruntime"] != _find_runtime():
        return None
    with telling_damage(folder / MODEL):
        content = (folder / MODEL).read_bytes()
        if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
            raise ValueError("its content is not what was checked")
    return OnnxClassifier(
        content, tuple(facts["class_names"]), facts["trained_on"], facts["image_size"], facts["model"]
    )


def _read_facts(folder: Path) -> dict[str, Any]:
    with telling_damage(folder / FACTS):
        facts = json.loads((folder / FACTS).read_text())
        if missing := set(_NEEDED) - set(facts):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return facts


def _identify(reader: Reader) -> dict[str, Any]:
    """Return the facts that identify an engine.

    Raises:
        InputError: ONNX Runtime is not installed.
    """
    runtime = _find_runtime()
    if runtime is None:
        raise InputError(
            "ONNX Runtime is not installed: pip install -c requirements.lock -e '.[export]' lets it answer."
        )
    # opinions were compared, too, so another calibration needs another engine
    facts = {"model": reader.classifier.fingerprint, "reader": reader.fingerprint}
    return facts | {"format": _FORMAT, "onnxruntime": runtime}


def _find_runtime() -> str | None:
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return None


def _holds(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Check whether a folder holds a complete, matching engine; a damaged one is logged, and will be rewritten."""
    try:
        load_engine(folder)
        return (folder / FACTS).exists() and identity.items() <= _read_facts(folder).items()
    except (DamageError, FileNotFoundError) as error:
        logger.warning("The engine of the reader is made again: %s", error)
        return False


def _write(plan: EnginePlan, identity: Mapping[str, Any], folder: Path) -> None:
    """Export the network, compare it with Keras, and write the result and, if they agree, the file."""
    from leukoscope.inference.exporting import Exporter

    classifier = cast(NetworkClassifier, plan.reader.classifier)
    _require_memory(4 * classifier.network.count_params())
    images, pixels = choose_images(plan.reader, plan.smears)
    exporter = Exporter(classifier, 1.0, {}, pixels)
    facts = {**identity, "class_names": classifier.class_names, "trained_on": classifier.trained_on}
    facts |= {"image_size": classifier.image_size, "fault": None}
    try:
        engine = OnnxClassifier.stand_in(exporter.write_for_reader(), classifier)
        agreement = Agreement.measure(plan.reader, engine, images, pixels)
    except InputError:
        raise
    except Exception as error:  # converters may raise any exception for an unknown layer
        if describe_fault(error):
            raise
        write_json(folder / FACTS, facts | {"fault": f"its export failed ({type(error).__name__}: {error})"})
        return
    facts |= agreement._asdict()
    if agreement.holds:
        engine.save(folder / MODEL)
        facts["sha256"] = hashlib.sha256(engine.content).hexdigest()
    else:
        facts["fault"] = (
            f"on {images} a probability differs by {agreement.probability:.2g}, an out-of-distribution score by "
            f"{agreement.ood_score:.2g}, "
            f"and {count_of(agreement.opinions, 'opinion differs', 'opinions differ')}"
        )
    write_json(folder / FACTS, facts)


def _require_memory(weights: int) -> None:
    """Check that exporting a network with weights of this many bytes leaves the machine some memory.

    Raises:
        InputError: There is too little memory.
    """
    free = psutil.virtual_memory().available
    if free < _COPIES * weights:
        raise InputError(
            f"To export a network of {weights / 2**20:.0f} MiB takes about {_COPIES * weights / 2**30:.1f} GiB of "
            f"memory, and {free / 2**30:.1f} GiB are free."
        )


def choose_images(reader: Reader, smears: PackedImages | None) -> tuple[str, np.ndarray]:
    """Choose the images on which an engine is compared with Keras.

    Args:
        reader: The reader; its validation images are the best choice, since their opinions vary most.
        smears: The packed images, if available; only images of the reader's size can be used.

    Returns:
        Their description, and ``uint8 [n, size, size, 3]``: validation images if they are packed, otherwise drawn
        smears.
    """
    from leukoscope.synthetic import CLASSES, draw_smear

    size = reader.image_size
    if smears is not None and smears.pixels.shape[1] == size:
        validation = reader.seen.loc[reader.seen["split"] == "validation", "sha256"]
        validating = smears.records["sha256"].isin(validation) & smears.records["row"].notna()
        rows = smears.records.loc[validating, "row"].to_numpy(np.int64)
        if len(rows):
            chosen = rows[np.linspace(0, len(rows) - 1, min(_IMAGES, len(rows))).astype(int)]
            return f"{len(chosen)} validation images", smears.pixels[chosen]
    labels = [CLASSES[number % len(CLASSES)] for number in range(_IMAGES)]
    drawn = [draw_smear(label, np.random.default_rng(number), size) for number, label in enumerate(labels)]
    return f"{len(drawn)} drawn smears", np.stack(drawn)
