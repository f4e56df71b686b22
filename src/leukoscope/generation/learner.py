"""What both generators have in common: a protocol, seeded weights, and how their models are compiled."""

import math
from typing import Any, Protocol

import keras
import numpy as np

from leukoscope.backend import device

_DRAWN_AT_A_TIME = 64


class Learner(Protocol):
    """A generator that learns.

    Attributes:
        title: What it is called.
    """

    title: str

    def learn(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> dict[str, float]:
        """Take a step.

        Args:
            generator: Of all that is random in it.
            images: ``float32 [batch, 64, 64, 3]`` in -1 to 1.
            classes: ``int [batch]``.

        Returns:
            The losses of the step, by name.
        """

    def judge(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> float:
        """Give the loss on images that do not train."""

    def finish(self) -> None:
        """Bring the weights in place that draw."""

    def draw(self, generator: np.random.Generator, classes: np.ndarray) -> np.ndarray:
        """Draw an image of each class, ``float [n, 64, 64, 3]`` in -1 to 1."""

    def list_state(self) -> list[keras.Variable]:
        """List what training goes on from."""

    def list_weights(self) -> list[keras.Variable]:
        """List what drawing needs."""


def compile_options() -> dict[str, Any]:
    """Give the arguments of ``compile`` that depend on the device: XLA is slow on TensorFlow's CPU."""
    return {"jit_compile": False if device.is_tensorflow_on_cpu() else "auto"}


def draw_weights(model: keras.Model, seed: int, deviation: float | None = None) -> None:
    """Draw a model's kernels anew, so that a seed determines them; those that start at a constant stay.

    Args:
        model: Whose weights.
        seed: For all of them.
        deviation: Of a normal distribution; by default it is uniform as by Glorot and Bengio 2010.
    """
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if len(shape) < 2 or (math.prod(shape) > 1 and not keras.ops.convert_to_numpy(variable).std()):
            continue
        if deviation is None:
            limit = math.sqrt(6 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
            variable.assign(generator.uniform(-limit, limit, shape).astype("float32"))
        else:
            variable.assign(generator.normal(0, deviation, shape).astype("float32"))


def predict_in_parts(model: keras.Model, *inputs: np.ndarray) -> np.ndarray:
    """Predict without holding more than a few images' maps at once, in parts of one size: backends compile for each."""
    number = len(inputs[0])
    size = min(number, _DRAWN_AT_A_TIME)
    predicted = []
    for start in range(0, number, size):
        rows = np.minimum(np.arange(start, start + size), number - 1)  # the last part is filled up
        part = [values[rows] for values in inputs]
        predicted.append(np.asarray(model.predict_on_batch(part if len(part) > 1 else part[0])))
    return np.concatenate(predicted)[:number]
