"""A network as an ONNX file, which ONNX Runtime runs without Keras or TensorFlow."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leukoscope.core.cores import get_share
from leukoscope.models.base import NETWORK, Classifier, Prediction, score_probabilities

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True)
class OnnxClassifier:
    """A classifier that only predicts.

    Attributes:
        content: The file's content. It takes ``uint8 [n, size, size, 3]``, RGB, and returns probabilities,
            ``float32 [n, classes]``, and features, ``float32 [n, channels]``.
        class_names: The classes in the order of the probabilities.
        trained_on: The fingerprint of the splits that it was trained on.
        image_size: Side in pixels of the squares that it takes.
        fingerprint: Fingerprint of the classifier that it was exported from.
    """

    content: bytes = field(repr=False, compare=False)
    class_names: tuple[str, ...]
    trained_on: str
    image_size: int
    fingerprint: str
    capabilities: ClassVar[frozenset[str]] = frozenset({"features"})
    place: ClassVar[str] = NETWORK

    @classmethod
    def stand_in(cls, content: bytes, classifier: Classifier) -> "OnnxClassifier":
        """Create an instance from a file's content and the classifier that the file was exported from."""
        return cls(
            content, classifier.class_names, classifier.trained_on, classifier.image_size, classifier.fingerprint
        )

    @cached_property
    def _session(self) -> "onnxruntime.InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = get_share() or 0  # 0: ONNX Runtime chooses
        return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images; see ``base.Classifier``."""
        rows = np.arange(len(pixels)) if rows is None else rows
        name = self._session.get_inputs()[0].name
        starts = range(0, len(rows), batch_size)
        batches = (pixels[rows[start : start + batch_size]] for start in starts)
        parts = [self._session.run(None, {name: batch}) for batch in batches]
        probabilities, features = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Prediction(probabilities, features)

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return log-probabilities."""
        return score_probabilities(prediction.probabilities)

    def find_fault(self) -> str | None:
        """Return nothing: whether it may be used was decided when it was created."""
        return None

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(self.content)
