"""What an opinion rests on: whether the same field under another stain, light, focus or camera would turn it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np

RESTS_ON = "rests on"


class Certificates(NamedTuple):
    """What the opinions on some images rest on.

    Attributes:
        rests_on: For each image the groups of changes of which one at least turns its likeliest class, joined by
            commas; empty where none does: ``[n]``.
        sensitivity: The most that a change takes away from the probability of that class, 0 to 1: ``[n]``.
    """

    rests_on: np.ndarray
    sensitivity: np.ndarray

    @classmethod
    def weigh(cls, asked: np.ndarray, again: Mapping[str, Iterable[np.ndarray]]) -> Self:
        """Hold what a classifier says of changed images against what it says of them as they are.

        Args:
            asked: Calibrated probabilities of the images, ``[n, classes]``.
            again: By the name of each group, the same under each of its changes.
        """
        likeliest = asked.argmax(axis=1)
        every = np.arange(len(asked))
        flips, most = {}, np.zeros(len(asked))
        for name, answers in again.items():
            flips[name] = np.zeros(len(asked), bool)
            for answer in answers:
                flips[name] |= answer.argmax(axis=1) != likeliest
                most = np.maximum(most, (asked - answer)[every, likeliest])
        named = [",".join(name for name, flipped in flips.items() if flipped[image]) for image in every]
        return cls(np.array(named, dtype=object), most)

    def give_reasons(self) -> np.ndarray:
        """Say of each image why it has no opinion: ``rests on stain and light``, or nothing."""
        return np.array([_word(groups) for groups in self.rests_on], dtype=object)


def _word(groups: str) -> str:
    *others, last = groups.split(",")
    return f"{RESTS_ON} {', '.join(others)} and {last}" if others else f"{RESTS_ON} {last}" if last else ""
