"""Compare exported files with Keras on the same images."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
_REPEATS = 5


class ExportCheck:
    """Compares predictors with Keras.

    Args:
        predict_with_keras: Maps ``uint8 [n, size, size, 3]`` to calibrated probabilities, ``[n, classes]``.
        pixels: ``uint8 [n, size, size, 3]``, RGB.
        rows: Which images to predict.
        truth: The class index of each of them.
        timed_images: Number of images for measuring speed.
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
        """Return the table row of Keras itself."""
        (took,) = _time((self._predict_with_keras,), self._timed, self._batch_size)
        facts = {"file": "model.keras", "format": "Keras", "precision": "float32"}
        return facts | {"accuracy": self._accuracy} | took.describe()

    def compare(self, predict: Predict, max_points_lost: float, max_difference: float) -> dict[str, Any]:
        """Compare a predictor with Keras.

        Args:
            predict: A predictor like ``predict_with_keras``.
            max_points_lost: Maximum loss of accuracy, in percentage points.
            max_difference: Maximum difference of any probability.

        Returns:
            ``accuracy, points_lost`` (percentage points), ``largest_difference`` (of a probability),
            ``images_per_second``, ``ms`` and ``cpu_ms`` (per image, in batches: wall-clock time, and CPU time of all
            cores), ``times_keras`` and ``within`` (whether both limits are met).
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
    """Time per image.

    Attributes:
        seconds: Wall-clock time.
        cpu_seconds: CPU time of all cores together.
    """

    seconds: float
    cpu_seconds: float

    def describe(self) -> dict[str, float]:
        """Return the times as columns of the table."""
        milliseconds = {"ms": 1000 * self.seconds, "cpu_ms": 1000 * self.cpu_seconds}
        return {"images_per_second": 1 / self.seconds} | milliseconds


def _time(predictors: tuple[Predict, ...], images: np.ndarray, batch_size: int) -> list[_Took]:
    """Time the predictors in turn, so that other load on the machine affects all alike."""
    took: list[list[tuple[float, float]]] = [[] for _ in predictors]
    for _ in range(_REPEATS):
        for predict, times in zip(predictors, took, strict=True):
            started = time.perf_counter()
            cpu_started = time.process_time()
            for start in range(0, len(images), batch_size):
                predict(images[start : start + batch_size])
            times.append((time.perf_counter() - started, time.process_time() - cpu_started))
    return [_Took(*(np.median(times, axis=0) / len(images)).tolist()) for times in took]
