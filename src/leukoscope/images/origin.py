"""Trace the origin of images from their files: drawn by this project, from the published data set, or not stated.

The published data set is that of Aria et al. 2021, DOI 10.34740/KAGGLE/DSV/2175623. ``published.txt`` lists the first
16 hexadecimal digits of the SHA-256 of its files by class, without copies. It covers the 2,602 files available during
development, not all 3,256. A file that was changed in any way is not recognised.
"""

from functools import cache
from importlib import resources
from typing import NamedTuple, Self

import pandas as pd

from leukoscope.core.errors import InputError

PUBLISHED_COUNTS = {"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804}
_DIGITS = 16


class Origin(NamedTuple):
    """The origin of a set of images.

    Attributes:
        images: Number of images.
        drawn: Number of images that bear the mark of a drawn smear.
        published: Number of images that are known files of the published data set, with the same class as there.
        complete: Whether each class has as many files as in the published data set, including all known ones.
    """

    images: int = 0
    drawn: int = 0
    published: int = 0
    complete: bool = False

    @classmethod
    def trace(cls, manifest: pd.DataFrame) -> Self:
        """Trace the accepted images of a manifest, by the labels from their folders.

        Raises:
            InputError: The manifest was written before manifests recorded which images are drawn.
        """
        if "drawn" not in manifest:
            raise InputError(
                "The manifest of the images does not say which of them are drawn, since an earlier version wrote it. "
                "Run the pipeline ingestion again; nothing that was trained is lost."
            )
        accepted = manifest[manifest["status"] == "accepted"]
        known = _list_published()
        is_known = [known.get(sha256[:_DIGITS]) == label for sha256, label in _pairs(accepted)]
        pairs = {(sha256[:_DIGITS], label) for sha256, label in _pairs(manifest.dropna(subset=["sha256", "label"]))}
        counts = manifest["label"].value_counts().to_dict()
        complete = counts == PUBLISHED_COUNTS and pairs >= set(known.items())
        return cls(len(accepted), int(accepted["drawn"].eq(True).sum()), sum(is_known), complete)

    def is_published(self, stated: bool | None) -> bool:
        """Decide whether the facts about the published data set apply to the images.

        Args:
            stated: Whether the user says that they do; ``None``: not stated.

        Raises:
            InputError: The user says so, but some images were drawn.
        """
        if stated and self.drawn:
            raise InputError(
                f"The data sheet says that these are images of the published data set (published: true), and "
                f"Leukoscope drew {self.drawn:,} of the {self.images:,}. Give the path of the published images, or set "
                f"published to null."
            )
        return (self.complete or 0 < self.images == self.published) if stated is None else stated

    def describe(self, stated: bool | None) -> str:
        """Describe the origin of the images in a sentence.

        Args:
            stated: Whether the user says that they are the published images; ``None``: not stated.
        """
        whole = sum(PUBLISHED_COUNTS.values())
        recognised = f"{self.published:,} of {self.images:,} images are recognised as files of the published data set"
        if stated is not None:
            return f"stated {'' if stated else 'not '}to be the published data set (data_sheet.published); {recognised}"
        if self.complete:
            return (
                f"the published data set, recognised by its {whole:,} files in {len(PUBLISHED_COUNTS)} classes and the "
                f"SHA-256 of {self.published:,} of them"
            )
        if self.is_published(None):
            return f"part of the published data set: {self.published:,} of its {whole:,} files, recognised by SHA-256"
        if self.published:
            return f"{recognised}; the origin of the others is not stated, so that set's facts are not shown"
        if self.drawn:
            return f"{self.drawn:,} of {self.images:,} images were drawn by Leukoscope"
        return "not recognised as a known data set"


def _pairs(table: pd.DataFrame) -> zip:
    return zip(table["sha256"], table["label"], strict=True)


@cache
def _list_published() -> dict[str, str]:
    """Return the class of each known file of the published data set, by the first digits of its SHA-256."""
    listed: dict[str, str] = {}
    label = ""
    for line in resources.files("leukoscope.images").joinpath("published.txt").read_text().splitlines():
        if line.startswith("["):
            label = line.strip("[]")
        else:
            listed |= dict.fromkeys(line.split(), label)
    return listed
