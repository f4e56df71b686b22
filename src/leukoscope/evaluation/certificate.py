"""Whether another stain, light, focus or camera would change the opinion on the same field."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np

from leukoscope.images.circumstances import CIRCUMSTANCES

RESTS_ON = "rests on"
WORDS = "rests_on"
# The largest loss of the likeliest class's probability under any change, and within each group of changes.
SENSITIVITY = "sensitivity"
SENSITIVITIES = (SENSITIVITY, *(f"{SENSITIVITY}_{group}" for group in CIRCUMSTANCES))


class Certificates(NamedTuple):
    """The groups of changes that the opinions on some images rest on.

    Attributes:
        flips: For each group of changes, whether any of them changes an image's likeliest class, boolean ``[n]``.
        losses: For each group, the largest loss of that class's probability under any of its changes, 0 to 1: ``[n]``.
    """

    flips: Mapping[str, np.ndarray]
    losses: Mapping[str, np.ndarray]

    @classmethod
    def weigh(cls, asked: np.ndarray, again: Mapping[str, Iterable[np.ndarray]]) -> Self:
        """Compare predictions on changed images with those on the unchanged images.

        Args:
            asked: Calibrated probabilities of the unchanged images, ``[n, classes]``.
            again: For each group of changes, the calibrated probabilities under each of its changes.
        """
        likeliest = asked.argmax(axis=1)
        every = np.arange(len(asked))
        flips = {}
        losses = {}
        for name, answers in again.items():
            flips[name], losses[name] = np.zeros(len(asked), bool), np.zeros(len(asked))
            for answer in answers:
                flips[name] |= answer.argmax(axis=1) != likeliest
                losses[name] = np.maximum(losses[name], (asked - answer)[every, likeliest])
        return cls(flips, losses)

    @property
    def certified(self) -> np.ndarray:
        """Which images keep their likeliest class under every change, boolean ``[n]``."""
        return ~np.any(list(self.flips.values()), axis=0)

    def give_reasons(self) -> np.ndarray:
        """Return for each image why it has no opinion, ``[n]``: for example ``rests on stain and light``, or empty."""
        return np.array([_word(groups) for groups in self._name_groups()], dtype=object)

    def tabulate(self) -> dict[str, np.ndarray]:
        """Return table columns: ``rests_on`` (group names, joined by commas) and ``SENSITIVITIES``."""
        losses = [np.max(list(self.losses.values()), axis=0), *self.losses.values()]
        names = (SENSITIVITY, *(f"{SENSITIVITY}_{group}" for group in self.losses))
        words = np.array([",".join(groups) for groups in self._name_groups()], dtype=object)
        return {WORDS: words} | dict(zip(names, losses, strict=True))

    def _name_groups(self) -> list[list[str]]:
        rows = zip(*self.flips.values(), strict=True)
        return [[name for name, flipped in zip(self.flips, row, strict=True) if flipped] for row in rows]


def _word(groups: list[str]) -> str:
    if not groups:
        return ""
    *others, last = groups
    return f"{RESTS_ON} {', '.join(others)} and {last}" if others else f"{RESTS_ON} {last}"
