"""Common parts of both generators: a protocol, seeded weights, and how their models are compiled."""

import math
from typing import Any, Protocol

import keras
import numpy as np

from leukoscope.backend import device

_DRAWN_AT_A_TIME = 64


class Learner(Protocol):
    """A trainable generator.

    Attributes:
        title: Its name.
    """

    title: str

    def learn(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> dict[str, float]:
        """Take a training step.

        Args:
            generator: Source of all randomness in the step.
            images: ``float32 [batch, 64, 64, 3]`` in -1 to 1.
            classes: ``int [batch]``.

        Returns:
            The losses of the step, by name.
        """

    def judge(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> float:
        """Return the loss on held-out images."""

    def finish(self) -> None:
        """Set the weights that are used for drawing."""

    def draw(self, generator: np.random.Generator, classes: np.ndarray) -> np.ndarray:
        """Draw an image for each class index, ``float [n, 64, 64, 3]`` in -1 to 1."""

    def list_state(self) -> list[keras.Variable]:
        """List the variables needed to resume training."""

    def list_weights(self) -> list[keras.Variable]:
        """List the variables needed for drawing."""


def compile_options() -> dict[str, Any]:
    """Return the arguments of ``compile`` that depend on the device: XLA is slow on TensorFlow's CPU."""
    return {"jit_compile": False if device.is_tensorflow_on_cpu() else "auto"}


def draw_weights(model: keras.Model, seed: int, deviation: float | None = None) -> None:
    """Redraw a model's kernels, so that a seed determines them; kernels that start at a constant stay.

    Args:
        model: The model to initialise.
        seed: Seed of all weights.
        deviation: Standard deviation of a normal distribution; by default uniform as in Glorot and Bengio 2010.
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
    """Predict in parts of equal size: this bounds the memory for maps, and backends compile once per size."""
    number = len(inputs[0])
    size = min(number, _DRAWN_AT_A_TIME)
    predicted = []
    for start in range(0, number, size):
        rows = np.minimum(np.arange(start, start + size), number - 1)  # the last part is padded
        part = [values[rows] for values in inputs]
        predicted.append(np.asarray(model.predict_on_batch(part if len(part) > 1 else part[0])))
    return np.concatenate(predicted)[:number]
