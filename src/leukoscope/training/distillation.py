"""Learning from another model's predictions on the training images.

Hinton et al. 2015, Distilling the knowledge in a neural network.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy.special import log_softmax

from leukoscope.evaluation.predictions import probability_columns
from leukoscope.models.base import score_probabilities
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import ResolvedRecipe

_LEAST = 1e-7  # the smallest probability that counts, in float32


def teach(
    images: LabelledImages, plan: pd.DataFrame, taught: pd.DataFrame, class_names: Sequence[str], temperature: float
) -> LabelledImages:
    """Attach a teacher's predictions to training images, made on each image as it is, without augmentation.

    Args:
        images: The images of ``plan``.
        plan: The images of an epoch, and how often each is seen.
        taught: The teacher's probabilities, with ``image_id``, for at least these images.
        class_names: The classes in order.
        temperature: The divisor of the log-probabilities.
    """
    table = taught.set_index("image_id").loc[plan["image_id"], probability_columns(class_names)]
    softened = soften(table.to_numpy(), temperature)
    return replace(images, taught=np.repeat(softened, plan["repeats"].to_numpy(), axis=0))


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide log-probabilities, ``[n, classes]``, which serve as scores, by a temperature: ``float32``."""
    scores = score_probabilities(probabilities.astype("float64"))
    return np.exp(log_softmax(scores / temperature, axis=1)).astype("float32")


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the true class, plus the divergence of a teacher's probabilities from the student's.

    ``(1 - share) CE(y, p) + share T^2 KL(q_T || p_T)``, where ``p_T`` is ``p`` at the temperature ``T``. The gradients
    of the second term are about ``1 / T^2`` of the first's, which the factor compensates for.

    Args:
        temperature: ``T``.
        share: Weight of the teacher's term.
        label_smoothing: Smoothing of the true class.

    Labels are ``[batch, 2 classes]``, the true class and ``q_T``; or ``[batch, classes]`` for validation images,
    whose loss uses the true class alone, so that it is comparable across trainings.
    """

    def __init__(self, temperature: float, share: float, label_smoothing: float = 0.0) -> None:
        super().__init__(name="distillation")
        self.temperature = temperature
        self.share = share
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each image, ``[batch]``."""
        classes = y_pred.shape[-1]
        truth = y_true[:, :classes]
        taught = y_true[:, classes:]
        own = keras.losses.categorical_crossentropy(truth, y_pred, label_smoothing=self.label_smoothing)
        if y_true.shape[-1] == classes:
            return own
        student = ops.log_softmax(ops.log(ops.maximum(y_pred, _LEAST)) / self.temperature, axis=-1)
        teacher = ops.log(ops.maximum(taught, _LEAST))
        divergence = ops.sum(taught * (teacher - student), axis=-1)
        return (1 - self.share) * own + self.share * self.temperature**2 * divergence


class AccuracyOfTruth(keras.metrics.CategoricalAccuracy):
    """Accuracy with respect to the true classes, for labels as in ``DistillationLoss``."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count a batch."""
        return super().update_state(y_true[:, : y_pred.shape[-1]], y_pred, sample_weight)


def build_loss(recipe: ResolvedRecipe) -> keras.losses.Loss:
    """Build the loss of a recipe."""
    if recipe.distillation is None:
        return keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    return DistillationLoss(recipe.distillation.temperature, recipe.distillation.share, recipe.label_smoothing)


def choose_metric(recipe: ResolvedRecipe) -> Any:
    """Return the metric to report as ``accuracy``."""
    return "accuracy" if recipe.distillation is None else AccuracyOfTruth(name="accuracy")
