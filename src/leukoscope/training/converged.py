"""Fit the last layer to its minimal loss: multinomial logistic regression, without randomness or a learning rate."""

import logging
from typing import NamedTuple

import keras
import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from leukoscope.models.parts import Parts

logger = logging.getLogger(__name__)

_ITERATIONS = 5000
_TOLERANCE = 1e-6  # of the largest gradient entry


class Judgement(NamedTuple):
    """The last layer's performance on some features.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: Share of correct predictions.
    """

    loss: float
    accuracy: float


def fit_head(parts: Parts, features: np.ndarray, classes: np.ndarray, weights: np.ndarray, weight_decay: float) -> None:
    """Fit the last layer, and the batch norm before it if there is one, to features.

    The loss is the weighted mean of the cross-entropy plus half of ``weight_decay`` times the kernel's squared norm; it
    is convex (Bishop 2006, Pattern recognition and machine learning, 4.3.4). A batch norm standardises the features
    first, by their mean and variance (to which it adds its epsilon), so that the decay affects all of them alike.

    Args:
        parts: Parts of the network.
        features: ``float32 [images, channels]``.
        classes: The class index of each image.
        weights: The weight of each image in the loss.
        weight_decay: Strength of the penalty on the kernel.
    """
    shares = weights.astype("float64") / weights.sum()
    if parts.norm is not None:
        _standardise(parts.norm, features, shares)
    kernel, bias = _minimise(_norm(parts, features), classes, shares, parts.head.units, weight_decay)
    parts.head.set_weights([kernel.astype("float32"), bias.astype("float32")])


def judge_head(parts: Parts, features: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> Judgement:
    """Measure the last layer's performance; arguments as for ``fit_head``."""
    kernel, bias = parts.linear_head
    scores = features.astype("float64") @ kernel + bias
    losses = -log_softmax(scores, axis=1)[np.arange(len(classes)), classes]
    right = scores.argmax(axis=1) == classes
    return Judgement(float(np.average(losses, weights=weights)), float(np.average(right, weights=weights)))


def _standardise(norm: keras.layers.BatchNormalization, features: np.ndarray, shares: np.ndarray) -> None:
    mean = shares @ features
    # Moving statistics are set directly: a frozen encoder outputs the same features in every epoch.
    variance = shares @ (features - mean) ** 2
    ones = np.ones_like(mean)
    norm.set_weights([values.astype("float32") for values in (ones, 0 * ones, mean, variance)])


def _norm(parts: Parts, features: np.ndarray) -> np.ndarray:
    if parts.norm is None:
        return features.astype("float64")
    _, _, mean, variance = (values.astype("float64") for values in parts.norm.get_weights())
    return (features - mean) / np.sqrt(variance + parts.norm.epsilon)


def _minimise(
    features: np.ndarray, classes: np.ndarray, shares: np.ndarray, number: int, weight_decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the optimal kernel, ``[channels, classes]``, and bias."""
    truth = np.eye(number)[classes]
    channels = features.shape[1]

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = flat[: channels * number].reshape(channels, number)
        bias = flat[channels * number :]
        logarithms = log_softmax(features @ kernel + bias, axis=1)
        loss = -float(shares @ (truth * logarithms).sum(axis=1)) + weight_decay / 2 * float((kernel**2).sum())
        # The gradient by the scores is predicted minus true; those by kernel and bias follow from it.
        slopes = shares[:, None] * (np.exp(logarithms) - truth)
        return loss, np.append((features.T @ slopes + weight_decay * kernel).ravel(), slopes.sum(axis=0))

    options = {"maxiter": _ITERATIONS, "maxfun": 2 * _ITERATIONS, "gtol": _TOLERANCE, "ftol": 0.0}
    optimum = minimize(evaluate, np.zeros((channels + 1) * number), jac=True, method="L-BFGS-B", options=options)
    if optimum.nit >= _ITERATIONS:
        logger.warning(
            "The last layer has not converged in %d steps: features are far from standardised, or "
            "training.weight_decay is too small. training.head_norm standardises them.",
            _ITERATIONS,
        )
    return optimum.x[: channels * number].reshape(channels, number), optimum.x[channels * number :]
