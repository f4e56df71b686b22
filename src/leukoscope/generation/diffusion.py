"""The arithmetic of diffusion, from images to noise and from noise back to images, in NumPy only.

Ho et al. 2020 (Denoising diffusion probabilistic models), with the cosine schedule of Nichol and Dhariwal 2021 and the
deterministic sampler of Song et al. 2021 (DDIM, eta 0). Images are in -1 to 1.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

STEPS = 1000
_OFFSET = 0.008
_LARGEST_BETA = 0.999
# Size of a step's embedding: sines and cosines together.
EMBEDDING = 64

# Predicts the noise in noisy images, [n, side, side, 3], at a step.
Predict = Callable[[np.ndarray, int], np.ndarray]


def make_schedule(steps: int = STEPS) -> np.ndarray:
    """Return the share of an image's variance that remains after each step.

    Args:
        steps: Number of steps.

    Returns:
        ``float64 [steps + 1]``, from 1 (step 0, the image itself) to almost 0.
    """
    time = np.arange(steps + 1) / steps
    # The cosine schedule of Nichol and Dhariwal 2021; without a bound nothing would remain after the last step.
    left = np.cos((time + _OFFSET) / (1 + _OFFSET) * np.pi / 2) ** 2
    betas = np.minimum(1 - left[1:] / left[:-1], _LARGEST_BETA)
    return np.concatenate([[1.0], np.cumprod(1 - betas)])


def add_noise(images: np.ndarray, noise: np.ndarray, steps: np.ndarray, schedule: np.ndarray) -> np.ndarray:
    """Draw from q(x_t | x_0): mix each image with noise, so that unit variance stays unit variance.

    Args:
        images: ``[n, ...]``.
        noise: Standard normal noise of the same shape.
        steps: Step of each image, ``int [n]``; 0 leaves the image unchanged.
        schedule: The schedule from ``make_schedule``.
    """
    left = schedule[steps].reshape(-1, *[1] * (images.ndim - 1))
    return np.sqrt(left) * images + np.sqrt(1 - left) * noise


def embed_steps(steps: np.ndarray) -> np.ndarray:
    """Encode step numbers as sines and cosines of 32 frequencies, ``float32 [n, 64]``, like transformer positions."""
    frequencies = 10_000.0 ** (-np.arange(EMBEDDING // 2) / (EMBEDDING // 2))
    angles = np.asarray(steps, dtype=float)[:, None] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")


def sample(
    predict: Predict, noise: np.ndarray, schedule: np.ndarray, steps: int = 50, limit: float | None = 1.0
) -> np.ndarray:
    """Turn noise into images by DDIM.

    Args:
        predict: Predicts the noise in images at a step.
        noise: The starting point, ``[n, side, side, 3]``, standard normal.
        schedule: The schedule from ``make_schedule``.
        steps: Number of its steps to visit.
        limit: Bound to which estimates of an image are clipped on both sides; ``None``: no clipping.

    Returns:
        Images, ``float64``, of the noise's shape.
    """
    visited = np.rint(np.linspace(len(schedule) - 1, 0, steps + 1)).astype(int)
    images = np.asarray(noise, dtype=float)
    for step, following in pairwise(visited):
        left = schedule[step]
        left_then = schedule[following]
        predicted = np.asarray(predict(images, int(step)), dtype=float)
        # Estimate the clean image by removing the predicted noise; then add back the noise of the next step.
        clean = (images - np.sqrt(1 - left) * predicted) / np.sqrt(left)
        if limit is not None:
            clean = np.clip(clean, -limit, limit)
            predicted = (images - np.sqrt(left) * clean) / np.sqrt(1 - left)  # keep their mixture equal to the images
        images = np.sqrt(left_then) * clean + np.sqrt(1 - left_then) * predicted
    return images


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """Map pixels, 0 to 255, to -1 to 1, ``float32``."""
    return (pixels.astype("float32") - 127.5) / 127.5


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Map -1 to 1 to pixels, ``uint8``, with clipping."""
    return np.rint(np.clip(images, -1, 1) * 127.5 + 127.5).astype("uint8")
