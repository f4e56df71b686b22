"""A second reader that is made in a moment: it goes by how dark a field is."""

import io
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from keras import layers
from PIL import Image

from leukoscope.evaluation import feature_table
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.decoding import Limits
from leukoscope.images.field_checks import check_fields
from leukoscope.inference.predictor import Predictor
from leukoscope.models.network import Classifier
from leukoscope.reader.second_reader import SecondReader

CLASS_NAMES = ("Benign", "Early", "Pre", "Pro")
SIZE = 32
# How bright a field is that the reader is sure to be of each class.
BRIGHTNESS = (220, 160, 100, 40)
SPREAD = 4


def build_network(size: int = SIZE) -> keras.Model:
    """Build a network of the shape that all classifiers have, whose last map is how bright the field is in places."""
    image = layers.Input((None, None, 3), name="image")
    small = layers.Resizing(size // 2, size // 2, name="resize")(image, training=False)
    bright = layers.Conv2D(2, 1, name="bright")(small)
    features = layers.GlobalAveragePooling2D(name="features")(layers.ReLU()(bright))
    network = keras.Model(image, layers.Dense(4, activation="softmax", name="probabilities")(features))
    # One channel for the brightness, from 0 to 1, and one for what is missing to 1.
    kernel = np.full((1, 1, 3, 2), 1 / 3 / 255) * [1, -1]
    network.get_layer("bright").set_weights([kernel, np.array([0.0, 1.0])])
    # The logarithm of a Gaussian around each class's brightness, less what all have in common.
    centres = np.array(BRIGHTNESS) / 255
    head = 60 * np.stack([2 * centres - centres**2, -(centres**2)])
    network.get_layer("probabilities").set_weights([head, np.zeros(4)])
    return network


def make_reader(
    class_names: tuple[str, ...] = CLASS_NAMES, model: str = "mobilenet_v2", drawn: int | None = 0, **calibration
) -> SecondReader:
    """Make a reader that knows fields of every brightness from 20 to 240, of which the first so many are drawn."""
    classifier = Classifier(build_network(), class_names, trained_on="splits", image_size=SIZE)
    shades = np.arange(20, 240, 4)
    fields = np.stack([vary(shade(one)) if number % 2 else shade(one) for number, one in enumerate(shades)])
    features = Predictor(classifier, 64).predict(fields)[1]
    facts = pd.DataFrame(
        {
            "image_id": [f"Shade/{one:03}" for one in shades],
            "split": np.where(np.arange(len(shades)) % 5, "train", "validation"),
            "label": np.array(class_names)[np.abs(shades[:, None] - BRIGHTNESS).argmin(axis=1)],
            "sha256": [f"{one:064x}" for one in shades],
            "model": classifier.fingerprint,
        }
    )
    if drawn is not None:
        facts["drawn"] = np.arange(len(shades)) < drawn
    given = {"temperature": 1.0, "threshold": 0.6, "ood_limit": 9.0, "nonconformity": [[0.1]] * len(class_names)}
    given |= {"target_error": 0.1, "error_bound": 0.08, "groups": 60.0, "needed": 29, "model": classifier.fingerprint}
    return SecondReader(
        model,
        classifier,
        Calibration(**given | calibration),
        feature_table.tabulate(facts, features, check_fields(fields)),
        (class_names[0],),
        Limits(16, 10**6, 10**6),
    )


@dataclass(frozen=True)
class ScaleBySize:
    """Takes an image that is larger than what the reader reads for so many fields side by side."""

    def describe(self) -> dict[str, float]:
        return {"cells_across": 5.0}

    def compare(self, image: np.ndarray) -> float:
        return min(image.shape[:2]) / SIZE


def draw_photograph() -> np.ndarray:
    """Make a photograph of three times four fields, of which the left ones are Early and the right ones Pro."""
    halves = [np.full((3 * SIZE, 2 * SIZE, 3), brightness, np.uint8) for brightness in (160, 40)]
    return np.concatenate(halves, axis=1)


def shade(brightness: int, size: int = SIZE) -> np.ndarray:
    """Make a field of one brightness."""
    return np.full((size, size, 3), brightness, np.uint8)


def vary(pixels: np.ndarray) -> np.ndarray:
    """Make the upper half a little darker and the lower one lighter: the mean stays."""
    varied = pixels.clip(SPREAD, 255 - SPREAD).astype(int)
    varied[: len(pixels) // 2] -= SPREAD
    varied[len(pixels) // 2 :] += SPREAD
    return varied.astype(np.uint8)


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """Give the content of an image file; what is of one colour gets lighter halves, or it would be refused."""
    content = io.BytesIO()
    Image.fromarray(vary(pixels) if np.ptp(pixels) == 0 else pixels).save(content, kind)
    return content.getvalue()
