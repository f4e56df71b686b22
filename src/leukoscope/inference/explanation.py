"""Maps of where in a field a classifier finds evidence for a class."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from PIL import Image
from scipy.special import logsumexp

from leukoscope.images.perturbations import OUTLIERS, perturb
from leukoscope.inference.cell_evidence import CellMapper
from leukoscope.inference.predictor import Predictor
from leukoscope.models.base import Classifier, NetworkClassifier
from leukoscope.models.cell_classifier import CellClassifier
from leukoscope.models.ensemble import EnsembleClassifier

GRAD_CAM = "Grad-CAM"
ACTIVATIONS = "Class activation map"


class Mapper(Protocol):
    """Maps the evidence for a class in a field, or what a decision rests on.

    Attributes:
        method: The name of its maps.
    """

    @property
    def method(self) -> str: ...  # noqa: D102

    def describe(self, class_name: str) -> str:
        """Describe what a map shows."""
        ...

    def map_classes(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map the evidence for one class per image, ``float32 [n, height, width]`` from 0 to 1.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            classes: The class index for each image, ``[n]``.
        """
        ...


class ActivationMapper:
    """Grad-CAM without gradients.

    With average pooling and one linear layer, into which a batch norm before it is folded at inference, the gradient of
    a class's score with respect to the last feature map is that layer's weight, the same everywhere: Grad-CAM
    (Selvaraju et al. 2017) then equals the class activation map of Zhou et al. 2016, a sum of feature maps. No gradient
    tape is needed, so it works with every backend. A fusion pools the maps of several stages, and its map is their sum:
    what each position adds to the score.

    Args:
        classifier: A classifier with the capability ``class_maps``.

    Raises:
        InputError: It has no feature maps.
    """

    def __init__(self, classifier: Classifier) -> None:
        if not isinstance(classifier, NetworkClassifier):
            raise TypeError(f"{type(classifier).__name__} has no feature maps")
        self._model = classifier.parts.feature_maps
        self._kernels = [pooled.kernel for pooled in classifier.parts.pooled_maps]
        self._seen = classifier.parts.centre_crop
        self.method = GRAD_CAM if len(self._kernels) == 1 else ACTIVATIONS

    def describe(self, class_name: str) -> str:
        """Describe what its maps show."""
        return f"{self.method} for {class_name}"

    def map_classes(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map the evidence for one class per image.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            classes: The class index for each image, ``[n]``.

        Returns:
            ``float32 [n, height, width]`` from 0 to 1, each image's maximum; 0 where nothing speaks for the class.
        """
        predicted = self._model.predict_on_batch(pixels)
        maps_of_stages = predicted if isinstance(predicted, list) else [predicted]
        stages = [
            np.einsum("nhwc,cn->nhw", maps, kernel[:, classes])
            for maps, kernel in zip(maps_of_stages, self._kernels, strict=True)
        ]
        finest = max(stage.shape[1:] for stage in stages)
        sums = [sum(_resize(stage, finest) for stage in image) for image in zip(*stages, strict=True)]
        return np.stack([_enlarge(np.maximum(heat, 0), pixels.shape[1:3], self._seen) for heat in sums])


class VoteMapper:
    """Maps the evidence for a class across the members of an ensemble: the weighted sum of their maps.

    Args:
        ensemble: An ensemble with the capability ``class_maps``.
    """

    def __init__(self, ensemble: EnsembleClassifier) -> None:
        self._mappers = [ActivationMapper(member) for member in ensemble.members.values()]
        self._weights = ensemble.vote.weights
        self.method = GRAD_CAM if {mapper.method for mapper in self._mappers} == {GRAD_CAM} else ACTIVATIONS

    def describe(self, class_name: str) -> str:
        """Describe what its maps show."""
        return f"{self.method} for {class_name}"

    def map_classes(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map the evidence for one class per image; each member's map is scaled to its maximum, then weighted."""
        maps = [mapper.map_classes(pixels, classes) for mapper in self._mappers]
        return np.stack([_scale(heat) for heat in np.tensordot(self._weights, np.stack(maps), axes=1)])


def make_mapper(classifier: Classifier) -> Mapper | None:
    """Return a mapper of classes in closed form, or of cells; ``None`` if the classifier supports neither.

    Args:
        classifier: A classifier of any kind.
    """
    if isinstance(classifier, CellClassifier):
        return CellMapper(classifier)
    if "class_maps" not in classifier.capabilities:
        return None
    return VoteMapper(classifier) if isinstance(classifier, EnsembleClassifier) else ActivationMapper(classifier)


def map_occlusion(
    predictor: Predictor, image: np.ndarray, number: int, patch: float, stride: float, seed: int
) -> np.ndarray:
    """Map how much a class loses when a part of the field is replaced by background (Zeiler and Fergus 2014).

    The field's own background is used, since a grey square could itself be more informative than the hidden cells. The
    loss is measured in the class's log-odds; overlapping patches are averaged.

    Args:
        predictor: Runs the classifier.
        image: ``uint8 [height, width, 3]``.
        number: The class index.
        patch: Side of a patch, as a share of the image's.
        stride: Step from patch to patch, as a share of the image's side.
        seed: Seed of the background's noise.

    Returns:
        ``float32 [height, width]`` from 0 to 1, the maximum; 0 where hiding costs the class nothing.
    """
    change = OUTLIERS["no_cells"]
    background = perturb(image[None], change, change.levels[0], seed)[0]
    places = list(_place_patches(image.shape[:2], patch, stride))
    hidden = np.repeat(image[None], len(places) + 1, axis=0)
    for copy, place in zip(hidden[1:], places, strict=True):
        copy[place] = background[place]
    scores = predictor.score(hidden)
    odds = scores[:, number] - logsumexp(np.delete(scores, number, axis=1), axis=1)
    lost = np.zeros(image.shape[:2])
    count = np.zeros(image.shape[:2])
    for place, loss in zip(places, odds[0] - odds[1:], strict=True):
        lost[place] += loss
        count[place] += 1
    return _scale(np.maximum(lost / count, 0))


def _place_patches(shape: tuple[int, int], patch: float, stride: float) -> Iterator[tuple[slice, slice]]:
    sides = [max(1, round(patch * length)) for length in shape]
    steps = [max(1, round(stride * length)) for length in shape]
    starts = [
        [*range(0, length - side, step), length - side] for length, side, step in zip(shape, sides, steps, strict=True)
    ]
    for top in starts[0]:
        for left in starts[1]:
            yield slice(top, top + sides[0]), slice(left, left + sides[1])


def _enlarge(small: np.ndarray, shape: tuple[int, int], share: float = 1.0) -> np.ndarray:
    """Enlarge a map to the central part of the image that was seen; outside it there is no evidence for a class."""
    height, width = (round(side * share) for side in shape)
    whole = np.zeros(shape, np.float32)
    top = (shape[0] - height) // 2
    left = (shape[1] - width) // 2
    whole[top : top + height, left : left + width] = _resize(small, (height, width))
    return _scale(np.maximum(whole, 0))


def _resize(heat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(heat.astype(np.float32)).resize(shape[::-1], Image.Resampling.BICUBIC))


def _scale(heat: np.ndarray) -> np.ndarray:
    highest = heat.max()
    return (heat / highest if highest > 0 else heat).astype(np.float32)


def overlay(image: np.ndarray, heat: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Overlay a map on its image: the higher, the warmer, and nothing where it is zero.

    Args:
        image: ``uint8 [height, width, 3]``.
        heat: ``float [height, width]``, from 0 to 1.
        opacity: Opacity of the colour where the map is 1.

    Returns:
        ``uint8 [height, width, 3]``.
    """
    share = (opacity * heat)[..., None]
    return np.rint(image * (1 - share) + colour(heat) * share).astype(np.uint8)


def colour(heat: np.ndarray) -> np.ndarray:
    """Colour a map for an overlay, ``float [height, width]`` from 0 to 1 to ``float [height, width, 3]`` in 0-255.

    Uses Matplotlib's YlOrRd, which darkens evenly: bright colours would be invisible on a light field.
    """
    from matplotlib import colormaps

    return colormaps["YlOrRd"](heat)[..., :3] * 255
