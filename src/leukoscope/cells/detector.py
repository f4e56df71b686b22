"""Cell detectors: the classical one, or a user's function with the same contract."""

from importlib import import_module
from typing import Protocol

import numpy as np

from leukoscope.cells import classical
from leukoscope.core.errors import InputError

CLASSICAL = "classical"
# Detectors that this process may import because its own configuration names them.
_trusted = {CLASSICAL}


class Detector(Protocol):
    """Finds the leukocytes of a field.

    It must depend on nothing but its arguments, and be importable: it is called in several processes, and its results
    are cached by the pixels of the field.
    """

    def __call__(self, image: np.ndarray, diameter: float) -> np.ndarray:
        """Find the leukocytes of a field.

        Args:
            image: ``uint8 [height, width, 3]``, RGB.
            diameter: Diameter of a typical leukocyte of these images, in pixels.

        Returns:
            The leukocyte number of each pixel, starting at 1, or 0: integers ``[height, width]``.
        """


def trust_detector(name: str) -> None:
    """Allow classifiers that are read from files to use a detector.

    Args:
        name: A detector's name, as in ``load_detector``, from the current configuration and never from such a file.
    """
    _trusted.add(name)


def require_trusted(name: str, what: str) -> None:
    """Reject a detector that a file names but the configuration does not: importing it would run code of the file.

    Args:
        name: A detector's name, as in ``load_detector``.
        what: What names the detector, for the message.

    Raises:
        InputError: It is neither built in nor named by the configuration.
    """
    if name not in _trusted:
        raise InputError(
            f"{what} finds cells by the detector {name}, which is not the one of the configuration at hand, so that it "
            f"is not imported. If you know it, set cells.detector={name}; else take another model."
        )


def load_detector(name: str) -> Detector:
    """Return a detector by its name.

    Args:
        name: ``classical``, or a name like ``module:function``.

    Raises:
        InputError: There is no detector of that name.
    """
    if name == CLASSICAL:
        return classical.find_leukocytes
    module, _, function = name.partition(":")
    expected = f"expected {CLASSICAL}, or module:function of something that Python can import here"
    try:
        detector = getattr(import_module(module), function) if module and function else None
    except Exception as error:  # a user's module may raise anything
        why = f"{type(error).__name__}: {error}"
        raise InputError(f"cells.detector is {name!r}, which cannot be loaded ({why}): {expected}.") from error
    if not callable(detector):
        raise InputError(f"cells.detector is {name!r}: {expected}.")
    return detector


def detect(name: str, image: np.ndarray, diameter: float) -> np.ndarray:
    """Find the leukocytes of a field, and check that the result meets the contract.

    Args:
        name: A detector's name, as in ``load_detector``.
        image: ``uint8 [height, width, 3]``, RGB.
        diameter: Diameter of a typical leukocyte, in pixels.

    Returns:
        ``int32 [height, width]``, numbered from 1 on without gaps.

    Raises:
        InputError: A user's detector returned something else.
    """
    cells = np.asarray(load_detector(name)(image, diameter))
    if cells.shape != image.shape[:2] or cells.dtype.kind not in "iu" or cells.min(initial=0) < 0:
        raise InputError(
            f"cells.detector {name} gave {cells.dtype} {cells.shape} for a field of {image.shape[:2]}. Expected whole "
            f"numbers of that shape: the number of the leukocyte that each pixel is of, from 1 on, or 0."
        )
    return np.unique(np.append(cells.ravel(), 0), return_inverse=True)[1][:-1].reshape(cells.shape).astype(np.int32)
