"""The interfaces of a second reader and its registry that pipelines use, without Keras or MLflow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd

from leukoscope.images.decoding import Limits
from leukoscope.models.base import Classifier

if TYPE_CHECKING:
    from leukoscope.evaluation.trust import Calibration
    from leukoscope.inference.predictor import Predictor
    from leukoscope.reader.calibrated import CalibratedClassifier
    from leukoscope.reader.scale import Scale


class Reading(NamedTuple):
    """The results of reading some images.

    Attributes:
        opinions: One row per image: ``opinion`` (a class, or ``abstained``), ``reason`` (for abstaining, else empty),
            ``prediction_set``, ``ood_score``, for a reader with certificates the columns of ``Certificates.tabulate``,
            one calibrated probability column per class, and ``probability_malignant``.
        features: Features of the classifier's last layer, ``float32 [n, channels]``.
        measured: One row per image: the further measurements that are monitored, from ``KnownImages.summarise``.
    """

    opinions: pd.DataFrame
    features: np.ndarray
    measured: pd.DataFrame


class Reader(Protocol):
    """A classifier with everything that it needs to give an opinion; ``SecondReader`` documents each part."""

    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def limits(self) -> Limits: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def data_fingerprint(self) -> str: ...  # noqa: D102
    @property
    def trained_on(self) -> str: ...  # noqa: D102
    @property
    def warning(self) -> str | None: ...  # noqa: D102
    @property
    def seen(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def classifier(self) -> Classifier: ...  # noqa: D102
    @property
    def engine_title(self) -> str: ...  # noqa: D102
    @property
    def certificate(self) -> int | None: ...  # noqa: D102
    @property
    def scale(self) -> "Scale | None": ...  # noqa: D102
    @property
    def calibration(self) -> "Calibration": ...  # noqa: D102
    @property
    def predictor(self) -> "Predictor": ...  # noqa: D102

    @property
    def calibrated(self) -> "CalibratedClassifier": ...  # noqa: D102

    def answered_by(self, engine: Classifier | None) -> "Reader":
        """Return a reader in which another engine predicts; ``None``: the classifier itself."""
        ...

    def asking_again(self) -> "Reader":
        """Return a reader that repeats each prediction under other stains, lights, lenses and cameras."""
        ...

    def at_scale(self, scale: "Scale | None") -> Self:
        """Return a reader that knows the scale of the cells in its training images."""
        ...

    def read(self, pixels: np.ndarray) -> Reading:
        """Return an opinion on each image, or the reason for abstaining."""
        ...

    def predict_calibrated(self, pixels: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities without opinions."""
        ...

    def find_nearest(self, features: np.ndarray, number: int) -> list[pd.DataFrame]:
        """Find the training images most similar to the given images."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return a description of the reader for display."""
        ...

    def require_size(self, size: int) -> None:
        """Check that packed images have the size that the reader was trained on."""
        ...

    def require_classes(self, class_names: Sequence[str]) -> None:
        """Check that the reader knows these classes, in this order."""
        ...


class RegisteredReader(Protocol):
    """A reader with its version, and the experiment that trained it."""

    @property
    def reader(self) -> Reader: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def experiment(self) -> str | None: ...  # noqa: D102


class Registry(Protocol):
    """A registry of readers, one of which is the champion."""

    @property
    def experiment(self) -> str: ...  # noqa: D102
    @property
    def promoted(self) -> str | None: ...  # noqa: D102

    def fetch(self, uri: str) -> Reader:
        """Fetch a reader."""
        ...

    def find_champion(self) -> RegisteredReader | None:
        """Find the reader in use, if there is one."""
        ...
