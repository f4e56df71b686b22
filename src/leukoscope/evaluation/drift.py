"""Whether images that came later are like those of validation: tests by groups, corrected for their number."""

from collections.abc import Iterator, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd

_DRAWS = 1999
_AT_ONCE = 4_000_000  # numbers in memory
# More groups than this say hardly more, and take longer: so many are drawn.
_MOST_GROUPS = 2000
_TIE = 1e-9


class Quantity(NamedTuple):
    """What is watched.

    Attributes:
        title: For people.
        unit: What its distance is.
        columns: Of the facts of an opinion; those that begin so.
    """

    title: str
    unit: str
    columns: str


_KS = "largest difference of two distributions"
QUANTITIES = {
    "features": Quantity("what the classifier sees", _KS, "distance_"),
    "stain": Quantity("stain and focus", _KS, "check_"),
    "certainty": Quantity("certainty", _KS, "certainty"),
    "abstained": Quantity("share of abstentions", "difference of two shares", "abstained"),
    "classes": Quantity("shares of classes", "G", "likeliest"),
    "ood_score": Quantity("out-of-distribution score", _KS, "ood_score"),
}


class Change(NamedTuple):
    """How far a quantity of some images is from that of the reference.

    Attributes:
        distance: How far, in the quantity's own unit.
        limit: The largest distance that raises no alarm.
        p: How often images like those of the reference are as far away, or further.
        p_holm: The same, corrected for the number of quantities.
        alarm: Whether that is too seldom for chance.
        column: Where there is an alarm, the column that is furthest away; of classes, the class that gained most.
        is_more: Whether there is more of it than in the reference.
    """

    distance: float
    limit: float
    p: float
    p_holm: float
    alarm: bool
    column: str
    is_more: bool


def can_alarm(reference_groups: int, groups: int, false_alarm: float) -> bool:
    """Tell whether any difference at all could raise an alarm: few groups can be exchanged in few ways only.

    Of two sides of one size each exchange is as far apart as that of all groups, so that half as many ways count.
    """
    # No quotient: of some hundred groups the ways are more than a float can hold.
    sides = 2 if reference_groups == groups else 1
    return comb(reference_groups + groups, groups) >= sides * len(QUANTITIES) / false_alarm


def compare(
    reference: pd.DataFrame,
    images: pd.DataFrame,
    false_alarm: float,
    seed: Sequence[int] | int,
    draws: int | None = None,
) -> dict[str, Change]:
    """Compare images with those of the reference, in all quantities.

    Each group counts the same, and whole groups are exchanged between the two at random: what they have in common
    within a group is no evidence. Where several columns make a quantity, the furthest counts, in the exchanges too
    (Westfall and Young 1993, Resampling-based multiple testing), so that they need no correction of their own; Holm's
    is for the number of quantities. Of images like the reference at most the share ``false_alarm`` of such comparisons
    has an alarm of any quantity, if groups are independent, and exchangeable.

    Args:
        reference: One row an image: the columns of ``QUANTITIES``, and ``group``.
        images: The same of those in question.
        false_alarm: How often images like the reference may raise any alarm.
        seed: For the exchanges.
        draws: How many exchanges; by default enough for any ``false_alarm``.

    Returns:
        By the quantity's name.
    """
    rng = np.random.default_rng(seed)
    reference, images = (_draw_groups(table, rng) for table in (reference, images))
    pool = _Pool.join(reference, images)
    draws = draws or max(_DRAWS, int(np.ceil(10 * len(QUANTITIES) / false_alarm)))
    furthest = {name: [pool.measure(name, pool.observed)] for name in QUANTITIES}
    for owned in pool.exchange(draws, rng):
        for name, kept in furthest.items():
            kept.append(pool.measure(name, owned))
    # The furthest column counts, in the exchanges too: a p for each quantity, whatever the number of its columns.
    exchanged = {}
    for name, kept in furthest.items():
        exchanged[name] = np.concatenate([distances.max(axis=1) for distances in kept])
    p = np.array([(values >= values[0] - _TIE).mean() for values in exchanged.values()])
    p_holm, levels = correct(p, false_alarm)
    changes = {}
    for number, (name, values) in enumerate(exchanged.items()):
        alarm = bool(p_holm[number] <= false_alarm)
        what = _find_furthest(name, furthest[name][0][0], reference, images) if alarm else ("", False)
        limit = _find_limit(values[1:], levels[number])
        changes[name] = Change(float(values[0].round(9)), limit, float(p[number]), float(p_holm[number]), alarm, *what)
    return changes


def _draw_groups(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    groups = table["group"].unique()
    if len(groups) <= _MOST_GROUPS:
        return table
    return table[table["group"].isin(rng.choice(groups, _MOST_GROUPS, replace=False))]


def weigh(table: pd.DataFrame) -> np.ndarray:
    """Weigh images so that each group has 1, ``[n]``."""
    return 1 / table.groupby("group")["group"].transform("size").to_numpy(float)


class _Pool(NamedTuple):
    """The images of both sides together.

    Attributes:
        columns: Of each quantity, ``[images, columns]``; of classes a column for each, which is 0 or 1.
        groups: The number of each image's group.
        weights: Of each image; those of a group add up to 1.
        observed: Which groups are those in question, boolean ``[1, groups]``.
    """

    columns: dict[str, np.ndarray]
    groups: np.ndarray
    weights: np.ndarray
    observed: np.ndarray

    @classmethod
    def join(cls, reference: pd.DataFrame, images: pd.DataFrame) -> "_Pool":
        """Join two tables, whose groups are different ones, whatever their names."""
        sides = [pd.factorize(table["group"])[0] for table in (reference, images)]
        known = int(sides[0].max()) + 1
        groups = np.concatenate([sides[0], sides[1] + known])
        both = pd.concat([reference, images], ignore_index=True)
        columns = {name: _select(both, name).to_numpy(float) for name in QUANTITIES}
        weights = np.concatenate([weigh(reference), weigh(images)])
        return cls(columns, groups, weights, np.arange(groups.max() + 1)[None] >= known)

    def exchange(self, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Give groups to either side at random, as many as it has: boolean ``[some draws, groups]`` each."""
        some = max(1, _AT_ONCE // len(self.groups))
        for start in range(0, draws, some):
            yield rng.permuted(np.repeat(self.observed, min(some, draws - start), axis=0), axis=1)

    def measure(self, name: str, owned: np.ndarray) -> np.ndarray:
        """Measure how far the sides are from each other.

        Args:
            name: Of the quantity.
            owned: Which groups are of the one side, boolean ``[draws, groups]``.

        Returns:
            ``[draws, columns]``, of classes ``[draws, 1]``.
        """
        number = owned[0].sum()
        sides = owned / number, ~owned / (owned.shape[1] - number)
        columns = self.columns[name]
        if name in ("abstained", "classes"):
            # A mean over groups is linear in who owns them: one product for all exchanges.
            of_groups = np.zeros((owned.shape[1], columns.shape[1]))
            np.add.at(of_groups, self.groups, columns * self.weights[:, None])
            ours, theirs = (side @ of_groups for side in sides)
            if name == "abstained":
                return np.abs(ours - theirs)
            return _measure_g(ours, theirs, number, owned.shape[1] - number)
        signed = sides[0] - sides[1]
        return np.stack([self._measure_ks(column, signed) for column in columns.T], axis=1)

    def _measure_ks(self, values: np.ndarray, signed: np.ndarray) -> np.ndarray:
        """Give the largest difference of the two sides' distributions, ``[draws]``."""
        # The difference of two empirical distributions, walked from the smallest value to the largest.
        order = np.argsort(values, kind="stable")
        steps = signed[:, self.groups[order]] * self.weights[order]
        ends = np.append(np.diff(values[order]) > 0, True)  # of equal values all count at once
        return np.abs(np.cumsum(steps, axis=1)[:, ends]).max(axis=1)


def _select(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if name == "classes":
        return pd.get_dummies(table["likeliest"])
    columns = QUANTITIES[name].columns
    return table[[column for column in table if column == columns or column.startswith(columns)]]


def _measure_g(ours: np.ndarray, theirs: np.ndarray, our_number: int, their_number: int) -> np.ndarray:
    """Give G of a table of two sides and all classes, from shares ``[draws, classes]``: ``[draws, 1]``."""
    from scipy.special import rel_entr

    both = (our_number * ours + their_number * theirs) / (our_number + their_number)
    both = np.maximum(both, 1e-300)
    terms = our_number * rel_entr(ours, both) + their_number * rel_entr(theirs, both)
    return 2 * terms.sum(axis=1, keepdims=True)


def correct(p: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Correct by Holm, and give the level that each p was held against in the end.

    statsmodels' function of it collects garbage at each call, which takes longer than all else here.
    """
    order = np.argsort(p, kind="stable")
    rank = np.argsort(order)
    left = len(p) - np.arange(len(p))
    p_holm = np.minimum(np.maximum.accumulate(p[order] * left), 1)[rank]
    stopped = min(int((p_holm <= level).sum()), len(p) - 1)  # at the first that is not below its own level
    return p_holm, level / (len(p) - np.minimum(rank, stopped))


def _find_limit(exchanged: np.ndarray, level: float) -> float:
    """Find the largest distance that is no alarm: beyond it lie fewer exchanges than the level allows."""
    beyond = int(np.floor(level * (len(exchanged) + 1) + _TIE)) - 1
    return float(np.sort(exchanged)[::-1][beyond].round(9))


def _find_furthest(name: str, distances: np.ndarray, reference: pd.DataFrame, images: pd.DataFrame) -> tuple[str, bool]:
    """Find the column with the largest of the distances, and whether there is more of it: by mean ranks over groups."""
    both = _select(pd.concat([reference, images], ignore_index=True), name).astype(float)
    counted = both if name == "classes" else both.rank()
    before = average(counted[: len(reference)], weigh(reference))
    gain = average(counted[len(reference) :], weigh(images)) - before
    column = str(gain.idxmax() if name == "classes" else both.columns[distances.argmax()])
    return column, bool(gain[column] > 0)


def average(columns: pd.DataFrame, weights: np.ndarray) -> pd.Series:
    """Give the means of columns over groups."""
    return columns.mul(weights, axis=0).sum() / weights.sum()
