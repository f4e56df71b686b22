"""What exported files keep of a classifier: held against Keras on the same images."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
_REPEATS = 5


class ExportCheck:
    """Holds what predicts against Keras.

    Args:
        predict_with_keras: ``uint8 [n, size, size, 3]`` to calibrated probabilities, ``[n, classes]``.
        pixels: ``uint8 [n, size, size, 3]``, RGB.
        rows: Which of them are predicted.
        truth: The number of each one's class.
        timed_images: Speed is measured on so many of them.
        batch_size: Images at a time.
    """

    def __init__(
        self,
        predict_with_keras: Predict,
        pixels: np.ndarray,
        rows: np.ndarray,
        truth: np.ndarray,
        timed_images: int,
        batch_size: int,
    ) -> None:
        self._predict_with_keras = predict_with_keras
        self._pixels = pixels
        self._rows = rows
        self._truth = truth
        self._batch_size = batch_size
        self._timed = pixels[rows[np.arange(timed_images) % len(rows)]]
        self._expected = self._predict(predict_with_keras)
        self._accuracy = float((self._expected.argmax(axis=1) == truth).mean())

    def describe_keras(self) -> dict[str, Any]:
        """Give the row of Keras itself."""
        (took,) = _time((self._predict_with_keras,), self._timed, self._batch_size)
        facts = {"file": "model.keras", "format": "Keras", "precision": "float32"}
        return facts | {"accuracy": self._accuracy} | took.describe()

    def compare(self, predict: Predict, max_points_lost: float, max_difference: float) -> dict[str, Any]:
        """Compare what predicts with Keras.

        Args:
            predict: As ``predict_with_keras``.
            max_points_lost: So many hundredths of accuracy may be lost.
            max_difference: So much may any probability differ.

        Returns:
            ``accuracy, points_lost`` (hundredths), ``largest_difference`` (of a probability), ``images_per_second``,
            ``ms`` and ``cpu_ms`` (of an image, in batches: by the clock, and of all cores), ``times_keras`` and
            ``within`` (whether it keeps to what may be lost).
        """
        probabilities = self._predict(predict)
        accuracy = float((probabilities.argmax(axis=1) == self._truth).mean())
        lost = 100 * (self._accuracy - accuracy)
        difference = float(np.abs(probabilities - self._expected).max())
        by_keras, by_file = _time((self._predict_with_keras, predict), self._timed, self._batch_size)
        return {
            "accuracy": accuracy,
            "points_lost": lost,
            "largest_difference": difference,
            **by_file.describe(),
            "times_keras": by_keras.seconds / by_file.seconds,
            "within": lost <= max_points_lost and difference <= max_difference,
        }

    def _predict(self, predict: Predict) -> np.ndarray:
        starts = range(0, len(self._rows), self._batch_size)
        return np.concatenate([predict(self._pixels[self._rows[start : start + self._batch_size]]) for start in starts])


class _Took(NamedTuple):
    """What an image took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of all cores together.
    """

    seconds: float
    cpu_seconds: float

    def describe(self) -> dict[str, float]:
        """Give it as columns of the table."""
        milliseconds = {"ms": 1000 * self.seconds, "cpu_ms": 1000 * self.cpu_seconds}
        return {"images_per_second": 1 / self.seconds} | milliseconds


def _time(predictors: tuple[Predict, ...], images: np.ndarray, batch_size: int) -> list[_Took]:
    """Time each in turn, so that what else the machine does weighs on all alike."""
    took: list[list[tuple[float, float]]] = [[] for _ in predictors]
    for _ in range(_REPEATS):
        for predict, times in zip(predictors, took, strict=True):
            started = time.perf_counter()
            cpu_started = time.process_time()
            for start in range(0, len(images), batch_size):
                predict(images[start : start + batch_size])
            times.append((time.perf_counter() - started, time.process_time() - cpu_started))
    return [_Took(*(np.median(times, axis=0) / len(images)).tolist()) for times in took]
