"""What finds cells: the classical way, or a function of the user's, by the same contract."""

from importlib import import_module
from typing import Protocol

import numpy as np

from leukoscope.cells import classical
from leukoscope.core.errors import InputError

CLASSICAL = "classical"
# Those that this process may import because its own configuration names them.
_trusted = {CLASSICAL}


class Detector(Protocol):
    """Finds the leukocytes of a field.

    It must depend on nothing but its arguments, and be importable: it is called in several processes, and what it found
    is kept by the pixels of the field.
    """

    def __call__(self, image: np.ndarray, diameter: float) -> np.ndarray:
        """Find the leukocytes of a field.

        Args:
            image: ``uint8 [height, width, 3]``, RGB.
            diameter: Of a typical leukocyte of these images, in pixels.

        Returns:
            The number of the leukocyte that each pixel is of, from 1 on, or 0: integers ``[height, width]``.
        """


def trust_detector(name: str) -> None:
    """Let classifiers that are read from files use a detector.

    Args:
        name: As of ``load_detector``, from the configuration at hand and never from such a file.
    """
    _trusted.add(name)


def require_trusted(name: str, what: str) -> None:
    """Refuse a detector that a file names and nobody here has: to import it would run code that the file chooses.

    Args:
        name: As of ``load_detector``.
        what: Names it.

    Raises:
        InputError: It is none of ours, and not that of the configuration.
    """
    if name not in _trusted:
        raise InputError(
            f"{what} finds cells by the detector {name}, which is not the one of the configuration at hand, so that it "
            f"is not imported. If you know it, set cells.detector={name}; else take another model."
        )


def load_detector(name: str) -> Detector:
    """Give a detector by its name.

    Args:
        name: ``classical``, or like ``module:function``.

    Raises:
        InputError: There is none of that name.
    """
    if name == CLASSICAL:
        return classical.find_leukocytes
    module, _, function = name.partition(":")
    expected = f"expected {CLASSICAL}, or module:function of something that Python can import here"
    try:
        detector = getattr(import_module(module), function) if module and function else None
    except Exception as error:  # a module of the user's may raise anything
        why = f"{type(error).__name__}: {error}"
        raise InputError(f"cells.detector is {name!r}, which cannot be loaded ({why}): {expected}.") from error
    if not callable(detector):
        raise InputError(f"cells.detector is {name!r}: {expected}.")
    return detector


def detect(name: str, image: np.ndarray, diameter: float) -> np.ndarray:
    """Find the leukocytes of a field, and hold what was found to the contract.

    Args:
        name: As of ``load_detector``.
        image: ``uint8 [height, width, 3]``, RGB.
        diameter: Of a typical leukocyte, in pixels.

    Returns:
        ``int32 [height, width]``, numbered from 1 on without gaps.

    Raises:
        InputError: A user's detector gave something else.
    """
    cells = np.asarray(load_detector(name)(image, diameter))
    if cells.shape != image.shape[:2] or cells.dtype.kind not in "iu" or cells.min(initial=0) < 0:
        raise InputError(
            f"cells.detector {name} gave {cells.dtype} {cells.shape} for a field of {image.shape[:2]}. Expected whole "
            f"numbers of that shape: the number of the leukocyte that each pixel is of, from 1 on, or 0."
        )
    return np.unique(np.append(cells.ravel(), 0), return_inverse=True)[1][:-1].reshape(cells.shape).astype(np.int32)
