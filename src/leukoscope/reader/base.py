"""What pipelines ask of a second reader and of their registry, without Keras or MLflow."""

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
    """What a reader makes of some images.

    Attributes:
        opinions: One row an image: ``opinion`` (a class, or ``abstained``), ``reason`` (of abstaining, else empty),
            ``prediction_set``, ``ood_score``, of a reader that asks again what ``Certificates.tabulate``
            gives, one calibrated probability column a class, and ``probability_malignant``.
        features: What the classifier's last layer sees of them, ``float32 [n, channels]``.
        measured: One row an image: what is watched beside the opinion, as ``KnownImages.summarise`` gives it.
    """

    opinions: pd.DataFrame
    features: np.ndarray
    measured: pd.DataFrame


class Reader(Protocol):
    """A classifier with all that it takes to give an opinion; ``SecondReader`` says what each part is."""

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
        """Let something else predict in the classifier's place; ``None``: the classifier itself."""
        ...

    def asking_again(self) -> "Reader":
        """Let each opinion be asked again under other stains, lights, lenses and cameras."""
        ...

    def at_scale(self, scale: "Scale | None") -> Self:
        """Let it know at what scale the training images show their cells."""
        ...

    def read(self, pixels: np.ndarray) -> Reading:
        """Give an opinion on each image, or the reason why there is none."""
        ...

    def predict_calibrated(self, pixels: np.ndarray) -> np.ndarray:
        """Give calibrated probabilities, and no opinion."""
        ...

    def find_nearest(self, features: np.ndarray, number: int) -> list[pd.DataFrame]:
        """Find the training images that images resemble most."""
        ...

    def describe(self) -> dict[str, Any]:
        """Say what the reader is, for people."""
        ...

    def require_size(self, size: int) -> None:
        """Make sure that packed images are of the size that the reader was trained on."""
        ...

    def require_classes(self, class_names: Sequence[str]) -> None:
        """Make sure that the reader knows these classes, in this order."""
        ...


class RegisteredReader(Protocol):
    """A reader with its version, and the experiment in which it was trained."""

    @property
    def reader(self) -> Reader: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def experiment(self) -> str | None: ...  # noqa: D102


class Registry(Protocol):
    """Where readers are registered, of which one is the champion."""

    @property
    def experiment(self) -> str: ...  # noqa: D102
    @property
    def promoted(self) -> str | None: ...  # noqa: D102

    def fetch(self, uri: str) -> Reader:
        """Fetch a reader."""
        ...

    def find_champion(self) -> RegisteredReader | None:
        """Find the reader that is at work, if there is one."""
        ...
