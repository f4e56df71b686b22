"""Images drawn by a generator, with their classes and the splits that the generator was trained on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from leukoscope.core.errors import InputError


@dataclass(frozen=True)
class GeneratedImages:
    """A set of generated images.

    Attributes:
        pixels: ``uint8 [n, side, side, 3]``, RGB.
        classes: The class number that each image was drawn for, ``int64 [n]``.
        class_names: The classes in the order of their numbers.
        splits: The fingerprint of the splits whose training images the generator saw.
        facts: Other facts about the generator, serialisable as JSON.
    """

    pixels: np.ndarray
    classes: np.ndarray
    class_names: tuple[str, ...]
    splits: str
    facts: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the images and classes: the first 16 hexadecimal digits of a SHA-256."""
        digest = hashlib.sha256(json.dumps([self.class_names, self.splits, self.pixels.shape]).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        digest.update(np.ascontiguousarray(self.classes, dtype=np.int64).data)
        return digest.hexdigest()[:16]

    def require_fitting(self, class_names: Sequence[str], splits: str) -> None:
        """Check that training on the given splits may use these images.

        Args:
            class_names: The classes of the training, in order.
            splits: The fingerprint of its splits.

        Raises:
            InputError: The images have other classes, or their generator may have seen images that are now held out.
        """
        if tuple(class_names) != self.class_names:
            raise InputError(
                f"The generated images have the classes {', '.join(self.class_names)}, and the training has "
                f"{', '.join(class_names)}. Run the pipeline generate again, or set augmentation.synthetic to 0. "
                f"Nothing was trained."
            )
        if splits != self.splits:
            raise InputError(
                f"The generated images were learned from other splits ({self.splits}) than those of now ({splits}): "
                f"their generator may have seen images that now validate or test. Run the pipeline generate again, or "
                f"set augmentation.synthetic to 0. Nothing was trained."
            )

    def save(self, path: Path) -> None:
        """Write the images to one file of plain arrays, uncompressed."""
        described = {"class_names": self.class_names, "splits": self.splits, "facts": self.facts}
        with path.open("wb") as file:
            np.savez(file, pixels=self.pixels, classes=self.classes, description=np.array(json.dumps(described)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file is of another kind, or is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                pixels = file["pixels"]
                classes = file["classes"]
                described = json.loads(str(file["description"]))
            names, splits, facts = (described[name] for name in ("class_names", "splits", "facts"))
        except (BadZipFile, KeyError, TypeError, EOFError) as error:
            raise ValueError(f"it is no whole file of generated images: {error}") from error
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"it holds {pixels.dtype} {pixels.shape}, not images")
        if classes.shape != (len(pixels),) or classes.dtype.kind not in "iu":
            raise ValueError(f"it has classes {classes.dtype} {classes.shape} for {len(pixels)} images")
        if set(classes.tolist()) != set(range(len(names))):
            raise ValueError(f"it has images of the classes {sorted(set(classes.tolist()))}, and {len(names)} names")
        return cls(pixels, classes, tuple(names), splits, facts)


def resize_square(image: np.ndarray, side: int) -> np.ndarray:
    """Resize an image to a square, with antialiasing when it is reduced.

    Args:
        image: ``uint8 [height, width, 3]``.
        side: Side of the square in pixels.
    """
    if image.shape[:2] == (side, side):
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
