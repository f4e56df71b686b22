"""The arithmetic of diffusion: how images become noise, and how noise becomes images again. NumPy only.

Ho et al. 2020 (Denoising diffusion probabilistic models), with the cosine schedule of Nichol and Dhariwal 2021 and the
deterministic sampler of Song et al. 2021 (DDIM, eta 0). Images are in -1 to 1.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

STEPS = 1000
_OFFSET = 0.008
_LARGEST_BETA = 0.999
# Of the embedding of a step: sines and cosines of so many frequencies in all.
EMBEDDING = 64

# Noisy images [n, side, side, 3] and their step to the noise that is in them.
Predict = Callable[[np.ndarray, int], np.ndarray]


def make_schedule(steps: int = STEPS) -> np.ndarray:
    """Give the share of an image's variance that is left after each step.

    Args:
        steps: How many there are.

    Returns:
        ``float64 [steps + 1]``, from 1 (step 0, the image itself) to almost 0.
    """
    time = np.arange(steps + 1) / steps
    # The cosine schedule of Nichol and Dhariwal 2021; without a bound the last step would leave nothing.
    left = np.cos((time + _OFFSET) / (1 + _OFFSET) * np.pi / 2) ** 2
    betas = np.minimum(1 - left[1:] / left[:-1], _LARGEST_BETA)
    return np.concatenate([[1.0], np.cumprod(1 - betas)])


def add_noise(images: np.ndarray, noise: np.ndarray, steps: np.ndarray, schedule: np.ndarray) -> np.ndarray:
    """Draw from q(x_t | x_0): mix each image with noise, so that unit variance stays unit variance.

    Args:
        images: ``[n, ...]``.
        noise: Of the same shape, standard normal.
        steps: Of each image, ``int [n]``; 0 leaves it as it is.
        schedule: As ``make_schedule`` gives it.
    """
    left = schedule[steps].reshape(-1, *[1] * (images.ndim - 1))
    return np.sqrt(left) * images + np.sqrt(1 - left) * noise


def embed_steps(steps: np.ndarray) -> np.ndarray:
    """Turn step numbers into sines and cosines of 32 frequencies, ``float32 [n, 64]``, as transformers do positions."""
    frequencies = 10_000.0 ** (-np.arange(EMBEDDING // 2) / (EMBEDDING // 2))
    angles = np.asarray(steps, dtype=float)[:, None] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")


def sample(
    predict: Predict, noise: np.ndarray, schedule: np.ndarray, steps: int = 50, limit: float | None = 1.0
) -> np.ndarray:
    """Turn noise into images by DDIM.

    Args:
        predict: Gives the noise in images at a step.
        noise: What to start from, ``[n, side, side, 3]``, standard normal.
        schedule: As ``make_schedule`` gives it.
        steps: How many of its steps are visited.
        limit: What estimates of an image are clipped to, either way; ``None``: not.

    Returns:
        Images, ``float64`` of the noise's shape.
    """
    visited = np.rint(np.linspace(len(schedule) - 1, 0, steps + 1)).astype(int)
    images = np.asarray(noise, dtype=float)
    for step, following in pairwise(visited):
        left = schedule[step]
        left_then = schedule[following]
        predicted = np.asarray(predict(images, int(step)), dtype=float)
        # What the image would be if the predicted noise were all its noise; then as much noise as the next step has.
        clean = (images - np.sqrt(1 - left) * predicted) / np.sqrt(left)
        if limit is not None:
            clean = np.clip(clean, -limit, limit)
            predicted = (images - np.sqrt(left) * clean) / np.sqrt(1 - left)  # so that both still add up to the images
        images = np.sqrt(left_then) * clean + np.sqrt(1 - left_then) * predicted
    return images


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """Map pixels, 0 to 255, to -1 to 1, ``float32``."""
    return (pixels.astype("float32") - 127.5) / 127.5


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Map -1 to 1 to pixels, ``uint8``; what lies beyond is clipped."""
    return np.rint(np.clip(images, -1, 1) * 127.5 + 127.5).astype("uint8")
