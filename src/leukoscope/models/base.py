"""What models are made of and asked for, without Keras."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from leukoscope.features.macenko import MacenkoTarget
from leukoscope.features.normalisation import StainTarget

if TYPE_CHECKING:
    import keras

    from leukoscope.models.parts import Parts

# What a classifier is called where it lies: a network's file, and the folder of any other kind.
NETWORK = "model.keras"
FOLDER = "model"
# In such a folder: the kind, and what else is plain to say.
FACTS = "classifier.json"
_LEAST = 1e-12  # a probability that is told from 0


class NetworkRecipe(Protocol):
    """What of a training's recipe a network is built by.

    Attributes:
        weights: ``imagenet``, ``none``, or the path of a weights file.
        input_size: Side in pixels of the images that its trunk sees.
        centre_crop: The share of an image's side that it sees, from the middle.
        dropout: Share of features dropped before the classifier.
        trainable: ``all``, ``head``, or the name of a block.
        batch_norm_momentum: Of the moving statistics; ``None``: as the architecture has it.
        head_norm: Whether a batch norm stands between the features and the last layer.
        pixels: How they are scaled, a mode of Keras' preprocessing; ``None``: as the architecture has it.
        stain_target: What colours images are given before that; ``None``: they keep their own.
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
    """What a classifier makes of some images.

    Attributes:
        probabilities: ``float32 [n, classes]``, each row adding up to 1.
        features: What its last part sees of them, ``float32 [n, channels]``; ``None`` where a kind of classifier has
            none.
    """

    probabilities: np.ndarray
    features: np.ndarray | None


@runtime_checkable
class Classifier(Protocol):
    """What every kind of classifier gives, whatever it is made of.

    What it has beyond that it says in its capabilities; who wants more asks for these and never for a kind.

    Attributes:
        class_names: The classes in the order of the probabilities.
        image_size: Side in pixels of the packed squares that it was trained on; 0 before training.
        trained_on: The fingerprint of the splits that it was trained on; empty before training.
        fingerprint: Of all that its predictions depend on.
        place: What it is called where it lies, ``NETWORK`` or ``FOLDER``.
        capabilities: Of ``features`` (predictions have them), ``class_maps`` (it maps in closed form where in a field a
            class is seen), ``cells`` (it reads cells one by one), ``export`` (it can be a file for small machines)
            and ``epochs`` (it was trained in epochs).
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
            pixels: ``uint8 [n, height, width, 3]``, RGB: a packed array, or images just decoded.
            rows: Which of them; all by default.
            batch_size: Images at a time.
        """
        ...

    def score(self, prediction: Prediction) -> np.ndarray:
        """Give the logarithms of probabilities, up to a constant of each image, ``[n, classes]``.

        Args:
            prediction: Of this classifier.
        """
        ...

    def save(self, path: Path) -> None:
        """Write what loading needs, as one file, or into a folder that is there."""
        ...


def score_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Give the logarithms of probabilities, ``[n, classes]``; one that is 0 counts as the smallest that is not."""
    return np.log(np.maximum(probabilities, _LEAST))


@runtime_checkable
class NetworkClassifier(Classifier, Protocol):
    """A classifier that is one network, of which more can be asked than what it predicts.

    Attributes:
        network: Raw RGB images, ``[batch, height, width, 3]`` in 0-255, to probabilities, ``[batch, classes]``.
        parts: Its parts.
    """

    @property
    def network(self) -> "keras.Model": ...  # noqa: D102
    @property
    def parts(self) -> "Parts": ...  # noqa: D102
