"""The model and batches of a training phase, on images or on the features of a frozen base."""

import logging
import time
from dataclasses import dataclass, field, fields
from typing import Any

import keras
import numpy as np

from leukoscope.backend import memory
from leukoscope.cells.crops import NEUTRAL
from leukoscope.core.cache import ContentCache
from leukoscope.images.batches import Change, ImageBatches, TrainingBatches, ViewBatches
from leukoscope.models.parts import Parts
from leukoscope.training.augmentation import build_augmentation
from leukoscope.training.frozen_features import Features, keep_features, see_features
from leukoscope.training.held_images import HeldImages
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.mixing import Mixing
from leukoscope.training.recipe import Phase, ResolvedRecipe
from leukoscope.training.stain_copies import StainCopy

MIXING = [option.name for option in fields(Mixing)]
# Parts of a recipe on which features of a frozen base depend; not every recipe has all of them.
_BEFORE_FEATURES = ("input_size", "centre_crop", "batch_size", "weights", "pixels")
logger = logging.getLogger(__name__)

PhaseParts = tuple[keras.Model, TrainingBatches, ImageBatches]


@dataclass
class PhaseBuilder:
    """Builds the model and batches of a phase, not yet compiled.

    Args:
        name: Name of the trained model.
        recipe: A resolved recipe.
        classes: Number of classes.
        training: The images of an epoch.
        validation: The images used for early stopping.
        augmentation: The arguments of ``build_augmentation`` and of ``Mixing``.
        journal: Defines where features are kept, and what they depend on.
        seed: Seed for everything random.
        known: Cache of the cells found before, for a network that reads cells; cell vectors are cached beside it.

    Attributes:
        feature_seconds: Seconds spent on computing features.
    """

    name: str
    recipe: ResolvedRecipe
    classes: int
    training: LabelledImages
    validation: LabelledImages
    augmentation: dict[str, Any]
    journal: TrainingJournal
    seed: int
    known: ContentCache | None = None
    feature_seconds: float = field(default=0.0, init=False)

    def build(self, network: keras.Model, phase: Phase) -> PhaseParts:
        """Return the training model, and the batches of training and validation.

        Args:
            network: The classifier's network, whose trainable part is already set.
            phase: The phase; if only the head trains, the base's features are computed once if the recipe says so.
        """
        if self.recipe.is_on_features(phase):
            return self._build_on_features(network, phase)
        return self._build_on_images(network)

    def _build_on_images(self, network: keras.Model) -> PhaseParts:
        """Put the network's own resizing and the augmentation before it; both models share all weights."""
        array = self.training.pixels
        validation_array = self.validation.pixels
        if array is validation_array and not self._changes and memory.has_room_for(array.nbytes):
            logger.info("%s: the device holds all images", self.name)
            taken = keras.Input((), dtype="int32", name="row")
            images = HeldImages(array)(taken)
            array = validation_array = np.arange(len(array), dtype="int32")
        else:
            taken = images = keras.Input(array.shape[1:], name="image")  # static shape: no resizing to the same size
        parts = Parts(network)
        resized = keras.layers.Resizing(parts.resized_side, parts.resized_side)(parts.cut(images), training=False)
        augmented = build_augmentation(self.seed, **self._drawn)(resized)
        model = keras.Model(taken, network(parts.join(augmented, images)), name=f"{self.name}_training")
        batches = TrainingBatches(
            array, self.training.rows, self.training.classes, self.training.weights, **self._batch_options
        )
        batches.changes = self._changes
        self._teach(batches)
        return model, batches, self._build_validation(validation_array, self.validation.rows)

    def _build_on_features(self, network: keras.Model, phase: Phase) -> PhaseParts:
        """Skip the frozen base: its features of several views of each image are computed once."""
        features = self.see_features(network, phase)
        kept = keras.Input(features.training.shape[2:], name="kept")
        head = Parts(network).train_head(kept)
        batches = ViewBatches(features.training, self.training.classes, self.training.weights, **self._batch_options)
        self._teach(batches)
        model = keras.Model(kept, head, name=f"{self.name}_head")
        return model, batches, self._build_validation(features.validation, np.arange(len(features.validation)))

    def see_features(self, network: keras.Model, phase: Phase) -> Features:
        """Compute the frozen base's features of the images, or load those kept before.

        Args:
            network: The classifier's network.
            phase: A phase in which the head alone trains.
        """
        started = time.perf_counter()
        features = self._keep_views(network, phase) if self.recipe.feature_views else self._see_as_they_are(network)
        self.feature_seconds += time.perf_counter() - started
        return features

    def _see_as_they_are(self, network: keras.Model) -> Features:
        facts = self.recipe.batch_size, self.known
        painted = NEUTRAL if Parts(network).reads_cells else None
        drawn = {name: self.augmentation[name] for name in ("stain", "brightness") if name in self.augmentation}
        numbers = range(self.recipe.feature_stains)
        copies = [StainCopy(**drawn, seed=self.seed, number=number, painted=painted) for number in numbers]
        training = [see_features(network, self.training, *facts, copy) for copy in (None, *copies)]
        return Features(np.stack(training, axis=1), see_features(network, self.validation, *facts))

    def _keep_views(self, network: keras.Model, phase: Phase) -> Features:
        views = self.recipe.feature_views or 1
        if not self.recipe.converges:  # L-BFGS sees all views at once
            views = min(views, phase.stop - phase.start)
        # The augmentation is drawn batch by batch, by the backend's own generator.
        recipe = self.recipe.determining
        key = {name: value for name, value in self.journal.key.items() if name != "teacher"}
        key |= {"recipe": {name: recipe[name] for name in _BEFORE_FEATURES if name in recipe}}
        return keep_features(
            self.journal.features,
            key | {"views": views},
            network,
            self.training,
            self.validation,
            build_augmentation(self.seed, **self._drawn),
            views,
            self.recipe.batch_size,
        )

    def _teach(self, batches: TrainingBatches) -> None:
        """Append a teacher's probabilities to the labels."""
        if self.training.taught is not None:
            batches.labels = np.concatenate([batches.labels, self.training.taught], axis=1)

    @property
    def _changes(self) -> list[Change]:
        """The changes applied to a batch before it is sent to the device, in order."""
        mixing = [Mixing(**self._mixing)] if self._mixing else []
        return [*([self.training.substitution] if self.training.substitution else []), *mixing]

    @property
    def _mixing(self) -> dict[str, float]:
        return {name: value for name, value in self.augmentation.items() if name in MIXING}

    @property
    def _drawn(self) -> dict[str, Any]:
        return {name: value for name, value in self.augmentation.items() if name not in MIXING}

    @property
    def _batch_options(self) -> dict[str, Any]:
        return {
            "n_classes": self.classes,
            "batch_size": self.recipe.batch_size,
            "seed": self.seed,
            "whole": self.recipe.data_parallel,
        }

    def _build_validation(self, array: np.ndarray, rows: np.ndarray) -> ImageBatches:
        one_hot = np.eye(self.classes, dtype="float32")[self.validation.classes]
        return ImageBatches(array, rows, one_hot, batch_size=self.recipe.batch_size, whole=self.recipe.data_parallel)
