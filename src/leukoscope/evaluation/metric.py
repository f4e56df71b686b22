"""The fields of a row in the table of metrics, and the kinds of metrics.

A metric is a share of images, a number computed from a draw of images, a combination of two other metrics, or a count.
The kind determines its interval. A function that returns a list or an array has one value per class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

import numpy as np

from leukoscope.evaluation.outcome import Draw, Outcome

# Where reports show a metric, and what an outcome must have for it.
Section = Literal["performance", "class", "calibration", "opinions", "sets"]
Need = Literal["", "screening", "opinions", "sets", "groups"]
_BY_CLASS = "_*"


class Hits(NamedTuple):
    """The numerator and denominator of a share of images.

    Attributes:
        holds: For which images the condition holds, boolean ``[n]``.
        among: The images of which the share is taken, boolean ``[n]``.
    """

    holds: np.ndarray
    among: np.ndarray


@dataclass(frozen=True)
class Share:
    """A share of images; its interval comes from a beta-binomial posterior by groups."""

    select: Callable[[Outcome], Hits | list[Hits]]
    interval = "share"


@dataclass(frozen=True)
class Number:
    """A number that is recomputed for each draw of groups, which gives its interval.

    Attributes:
        measure: Computes the number, or one per class, ``[classes]``; NaN if undefined.
        inflated: Whether resampling increases it, as it does a calibration error.
    """

    measure: Callable[[Draw], float | np.ndarray]
    inflated: bool = False

    @property
    def interval(self) -> str:
        """The key of its interval method in ``intervals.METHODS``."""
        return "inflated" if self.inflated else "other"


@dataclass(frozen=True)
class Combined:
    """A combination of two other metrics that increases with both, so its interval's ends follow from theirs.

    Attributes:
        of: Names of the two metrics.
        combine: Computes it from the two and the prevalence; NaN if undefined.
    """

    of: tuple[str, str]
    combine: Callable[[float, float, float], float]
    interval = "ends"


@dataclass(frozen=True)
class Count:
    """A value that is counted or simulated once, without an interval."""

    count: Callable[[Outcome], float | np.ndarray]
    interval = ""


Measure = Share | Number | Combined | Count


class Lack(Enum):
    """Why a metric is undefined."""

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
    """A row of the table of metrics.

    Attributes:
        title: Name shown in reports.
        meaning: Definition, in one line.
        measure: Computes the metric, and determines its interval.
        section: Where reports show it; metrics in ``class`` have a value per class, and names ending with ``_*``.
        bounds: Lowest and highest possible value.
        ideal: The best possible value; ``None`` if neither more nor less is better.
        undefined: Reasons why it can be undefined.
        needs: What an outcome must have for the metric to exist.
        is_primary: Whether reports show it first.
        is_compared: Whether its test value is a column of ``comparison.csv``.
        can_promote: Whether it can decide which reader replaces the champion. Higher must be better, and
            ``needs`` empty.
        redundant_of_two: Whether with two classes it adds nothing to another metric.
        source: Source of its formula.
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
        """Check whether an outcome has what the metric needs."""
        return not self.needs or getattr(outcome, self.needs) is not None


def list_names(name: str, class_names: Sequence[str]) -> list[str]:
    """List the metric names of a row: its own, or one per class.

    Args:
        name: Name of the row.
        class_names: Plain names of the classes.
    """
    if not name.endswith(_BY_CLASS):
        return [name]
    return [f"{name.removesuffix('*')}{class_name}" for class_name in class_names]
