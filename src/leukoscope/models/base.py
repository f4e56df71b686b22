"""The interfaces of recipes and classifiers, without Keras."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from leukoscope.features.macenko import MacenkoTarget
from leukoscope.features.normalisation import StainTarget

if TYPE_CHECKING:
    import keras

    from leukoscope.evaluation.voting import Vote
    from leukoscope.models.parts import Parts

# Name of a saved classifier: a file for a network, a folder for any other kind.
NETWORK = "model.keras"
FOLDER = "model"
# The file in such a folder that records the classifier's kind and its other plain facts.
FACTS = "classifier.json"
_LEAST = 1e-12  # probabilities below this count as this


class NetworkRecipe(Protocol):
    """The part of a training recipe that a network is built from.

    Attributes:
        weights: ``imagenet``, ``none``, or the path of a weights file.
        input_size: Side in pixels of the images that its trunk sees.
        centre_crop: The share of an image's side, around its centre, that the network sees.
        dropout: Share of features dropped before the classifier.
        trainable: ``all``, ``head``, or the name of a block.
        batch_norm_momentum: Momentum of the moving statistics; ``None``: the architecture's own.
        head_norm: Whether a batch norm stands between the features and the last layer.
        pixels: The Keras preprocessing mode; ``None``: the architecture's own.
        stain_target: The stain colours that images are normalised to before that; ``None``: they keep their own.
    """

    @property
    def weights(self) -> str: ...  # noqa: D102
    @property
    def input_size(self) -> int: ...  # noqa: D102
    @property
    def centre_crop(self) -> float: ...  # noqa: D102
    @property
    def dropout(self) -> float: ...  # noqa: D102
    @property
    def trainable(self) -> str: ...  # noqa: D102
    @property
    def batch_norm_momentum(self) -> float | None: ...  # noqa: D102
    @property
    def head_norm(self) -> bool: ...  # noqa: D102
    @property
    def pixels(self) -> str | None: ...  # noqa: D102
    @property
    def stain_target(self) -> StainTarget | MacenkoTarget | None: ...  # noqa: D102


class Prediction(NamedTuple):
    """A classifier's output for some images.

    Attributes:
        probabilities: ``float32 [n, classes]``; each row adds up to 1.
        features: The input of its last part, ``float32 [n, channels]``; ``None`` if this kind of classifier has no
            features.
    """

    probabilities: np.ndarray
    features: np.ndarray | None


@runtime_checkable
class Classifier(Protocol):
    """The interface of every kind of classifier.

    Its capabilities list what it offers beyond this; callers check these and never the kind.

    Attributes:
        class_names: The classes in the order of the probabilities.
        image_size: Side in pixels of the packed squares that it was trained on; 0 before training.
        trained_on: The fingerprint of the splits that it was trained on; empty before training.
        fingerprint: Fingerprint of everything that its predictions depend on.
        place: Its name on disk, ``NETWORK`` or ``FOLDER``.
        capabilities: A subset of ``features`` (predictions include them), ``class_maps`` (it maps in closed form where
            in a field a class is seen), ``cells`` (it reads cells one by one), ``export`` (it can be exported to a file
            for small machines) and ``epochs`` (it was trained in epochs).
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def trained_on(self) -> str: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def capabilities(self) -> frozenset[str]: ...  # noqa: D102
    @property
    def place(self) -> str: ...  # noqa: D102

    def find_fault(self) -> str | None:
        """Return why it cannot be used, if so: its files may come from a registry that others write to."""
        ...

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images.

        Args:
            pixels: ``uint8 [n, height, width, 3]``, RGB: a packed array, or freshly decoded images.
            rows: Which images to predict; all by default.
            batch_size: Images at a time.
        """
        ...

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return log-probabilities, up to a constant per image, ``[n, classes]``.

        Args:
            prediction: A prediction of this classifier.
        """
        ...

    def save(self, path: Path) -> None:
        """Write everything needed for loading, as one file or into an existing folder."""
        ...


def score_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return log-probabilities, ``[n, classes]``; zero counts as a tiny positive probability."""
    return np.log(np.maximum(probabilities, _LEAST))


@runtime_checkable
class NetworkClassifier(Classifier, Protocol):
    """A classifier that is a single network, which exposes more than its predictions.

    Attributes:
        network: Maps raw RGB images, ``[batch, height, width, 3]`` in 0-255, to probabilities, ``[batch, classes]``.
        parts: The parts of the network.
    """

    @property
    def network(self) -> "keras.Model": ...  # noqa: D102
    @property
    def parts(self) -> "Parts": ...  # noqa: D102


@runtime_checkable
class VotingClassifier(Classifier, Protocol):
    """A classifier that combines the probabilities of other classifiers.

    Attributes:
        vote: How it combines them.
    """

    @property
    def vote(self) -> "Vote": ...  # noqa: D102
