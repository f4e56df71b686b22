"""What a row of the table of metrics says, and the kinds of metrics.

A metric is a share of images, a number of a draw of them, what follows from two other metrics, or counted. The kind
says what interval it has. A function that gives a list or an array has one value a class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

import numpy as np

from leukoscope.evaluation.outcome import Draw, Outcome

# Where pages show a metric, and what an outcome must have for it.
Section = Literal["performance", "class", "calibration", "opinions", "sets"]
Need = Literal["", "screening", "opinions", "sets", "groups"]
_BY_CLASS = "_*"


class Hits(NamedTuple):
    """What a share of images is.

    Attributes:
        holds: For which images something holds, boolean ``[n]``.
        among: Of which images this is the share, boolean ``[n]``.
    """

    holds: np.ndarray
    among: np.ndarray


@dataclass(frozen=True)
class Share:
    """A share of images; its interval is that of a beta-binomial posterior by groups."""

    select: Callable[[Outcome], Hits | list[Hits]]
    interval = "share"


@dataclass(frozen=True)
class Number:
    """A number that is computed again for each draw of groups, from which its interval is.

    Attributes:
        measure: Gives the number, or one a class, ``[classes]``; NaN where it is undefined.
        inflated: Whether resampling makes it larger, as a calibration error.
    """

    measure: Callable[[Draw], float | np.ndarray]
    inflated: bool = False

    @property
    def interval(self) -> str:
        """The key of its method in ``intervals.METHODS``."""
        return "inflated" if self.inflated else "other"


@dataclass(frozen=True)
class Combined:
    """What follows from two other metrics and rises with both, so that the ends of its interval follow from theirs.

    Attributes:
        of: Their names.
        combine: Computes it from the two and the prevalence; NaN where it is undefined.
    """

    of: tuple[str, str]
    combine: Callable[[float, float, float], float]
    interval = "ends"


@dataclass(frozen=True)
class Count:
    """What is counted or simulated once, and has no interval."""

    count: Callable[[Outcome], float | np.ndarray]
    interval = ""


Measure = Share | Number | Combined | Count


class Lack(Enum):
    """What leaves a metric undefined."""

    CLASS = "a class has no images"
    SECOND_CLASS = "all images are of one class"
    PREDICTION = "no image is predicted as a class that has some"
    OWN = "the class has no images"
    OTHERS = "no other class has images"
    OWN_PREDICTION = "no image is predicted as the class"
    OTHER_PREDICTION = "every image is predicted as the class"
    MALIGNANT = "no image is malignant"
    BENIGN = "no image is benign"
    MALIGNANT_PREDICTION = "no image is predicted malignant"
    BENIGN_PREDICTION = "every image is predicted malignant"
    OPINION = "no image has an opinion"


@dataclass(frozen=True)
class Metric:
    """A row of the table.

    Attributes:
        title: As pages call it.
        meaning: What it is, in a line.
        measure: What computes it, and what interval it has.
        section: Where pages show it; ``class``: it has a value for each class, and its name ends with ``_*``.
        bounds: The lowest and the highest value that it can have.
        ideal: The best of these; ``None`` where neither more nor less is better.
        undefined: What leaves it undefined.
        needs: What an outcome must have; without it there is no such metric.
        is_primary: Whether pages show it first.
        is_compared: Whether it is a column of ``comparison.csv``, of the test images.
        can_promote: If it can decide which reader replaces the champion. More must be better, and it needs nothing.
        redundant_of_two: Whether of two classes it says nothing that another metric does not.
        source: Where its formula comes from.
    """

    title: str
    meaning: str
    measure: Measure
    section: Section = "performance"
    bounds: tuple[float, float] = (0.0, 1.0)
    ideal: float | None = 1.0
    undefined: tuple[Lack, ...] = ()
    needs: Need = ""
    is_primary: bool = False
    is_compared: bool = False
    can_promote: bool = False
    redundant_of_two: bool = False
    source: str = ""

    def applies(self, outcome: Outcome) -> bool:
        """Tell whether an outcome has what the metric needs."""
        return not self.needs or getattr(outcome, self.needs) is not None


def list_names(name: str, class_names: Sequence[str]) -> list[str]:
    """List the names of a row's figures: its own, or one for each class.

    Args:
        name: That of the row.
        class_names: The plain names of the classes.
    """
    if not name.endswith(_BY_CLASS):
        return [name]
    return [f"{name.removesuffix('*')}{class_name}" for class_name in class_names]
