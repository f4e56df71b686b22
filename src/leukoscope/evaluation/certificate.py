"""What an opinion rests on: whether the same field under another stain, light, focus or camera would turn it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np

from leukoscope.images.circumstances import CIRCUMSTANCES

RESTS_ON = "rests on"
WORDS = "rests_on"
# The most that any change takes away from the likeliest class, and the most that one of each group does.
SENSITIVITY = "sensitivity"
SENSITIVITIES = (SENSITIVITY, *(f"{SENSITIVITY}_{group}" for group in CIRCUMSTANCES))


class Certificates(NamedTuple):
    """What the opinions on some images rest on.

    Attributes:
        flips: By the name of each group of changes which images' likeliest class one of them turns, boolean ``[n]``.
        losses: Likewise the most that one of them takes away from the probability of that class, 0 to 1: ``[n]``.
    """

    flips: Mapping[str, np.ndarray]
    losses: Mapping[str, np.ndarray]

    @classmethod
    def weigh(cls, asked: np.ndarray, again: Mapping[str, Iterable[np.ndarray]]) -> Self:
        """Hold what a classifier says of changed images against what it says of them as they are.

        Args:
            asked: Calibrated probabilities of the images, ``[n, classes]``.
            again: By the name of each group, the same under each of its changes.
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
        """Say of each image why it has no opinion, ``[n]``: ``rests on stain and light``, or nothing."""
        return np.array([_word(groups) for groups in self._name_groups()], dtype=object)

    def tabulate(self) -> dict[str, np.ndarray]:
        """Give the columns of a table: ``rests_on`` (the groups, joined by commas) and ``SENSITIVITIES``."""
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
