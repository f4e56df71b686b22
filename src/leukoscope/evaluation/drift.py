"""Detect whether later images differ from the validation images: tests by groups, corrected for multiple testing."""

from collections.abc import Iterator, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd

_DRAWS = 1999
_AT_ONCE = 4_000_000  # numbers in memory
# More groups than this add little power and take longer: a sample of this size is drawn.
_MOST_GROUPS = 2000
_TIE = 1e-9


class Quantity(NamedTuple):
    """A monitored quantity.

    Attributes:
        title: Display name.
        unit: Unit of its distance.
        columns: Name, or prefix of the names, of its columns in the opinion facts.
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
    """The change of a quantity from its reference.

    Attributes:
        distance: Distance from the reference, in the quantity's own unit.
        limit: The largest distance that raises no alarm.
        p: How often images like the reference are at least this far away.
        p_holm: ``p``, corrected for the number of quantities.
        alarm: Whether ``p_holm`` is too small for chance.
        column: If there is an alarm, the column that is furthest away; for classes, the class that gained most.
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
    """Check whether any difference at all could raise an alarm: few groups allow few permutations.

    If both sides have the same number of groups, swapping them gives the same distance, so half as many count.
    """
    # Avoid the quotient: with some hundred groups the number of permutations exceeds a float.
    sides = 2 if reference_groups == groups else 1
    return comb(reference_groups + groups, groups) >= sides * len(QUANTITIES) / false_alarm


def compare(
    reference: pd.DataFrame,
    images: pd.DataFrame,
    false_alarm: float,
    seed: Sequence[int] | int,
    draws: int | None = None,
) -> dict[str, Change]:
    """Compare images with the reference, in all quantities.

    Each group counts the same, and whole groups are permuted between the two sides at random: similarity within a group
    is no evidence. If a quantity has several columns, the furthest counts, in the permutations too (Westfall and Young
    1993, Resampling-based multiple testing), so the columns need no correction of their own; Holm's correction is for
    the number of quantities. For images like the reference, at most the share ``false_alarm`` of such comparisons
    raises any alarm, if groups are independent and exchangeable.

    Args:
        reference: One row per image: the columns of ``QUANTITIES``, and ``group``.
        images: The same columns for the images to be tested.
        false_alarm: How often images like the reference may raise any alarm.
        seed: Seed of the permutations.
        draws: Number of permutations; by default enough for any ``false_alarm``.

    Returns:
        The change of each quantity, by name.
    """
    rng = np.random.default_rng(seed)
    reference, images = (_draw_groups(table, rng) for table in (reference, images))
    pool = _Pool.join(reference, images)
    draws = draws or max(_DRAWS, int(np.ceil(10 * len(QUANTITIES) / false_alarm)))
    furthest = {name: [pool.measure(name, pool.observed)] for name in QUANTITIES}
    for owned in pool.exchange(draws, rng):
        for name, kept in furthest.items():
            kept.append(pool.measure(name, owned))
    # The furthest column counts, in the permutations too: one p per quantity, however many columns it has.
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
    """Compute image weights so that each group has a total of 1, ``[n]``."""
    return 1 / table.groupby("group")["group"].transform("size").to_numpy(float)


class _Pool(NamedTuple):
    """The images of both sides, pooled.

    Attributes:
        columns: For each quantity, ``[images, columns]``; for classes, one 0/1 column per class.
        groups: The number of each image's group.
        weights: The weight of each image; the weights of a group add up to 1.
        observed: Which groups belong to the images to be tested, boolean ``[1, groups]``.
    """

    columns: dict[str, np.ndarray]
    groups: np.ndarray
    weights: np.ndarray
    observed: np.ndarray

    @classmethod
    def join(cls, reference: pd.DataFrame, images: pd.DataFrame) -> "_Pool":
        """Join two tables, treating their groups as different whatever their names."""
        sides = [pd.factorize(table["group"])[0] for table in (reference, images)]
        known = int(sides[0].max()) + 1
        groups = np.concatenate([sides[0], sides[1] + known])
        both = pd.concat([reference, images], ignore_index=True)
        columns = {name: _select(both, name).to_numpy(float) for name in QUANTITIES}
        weights = np.concatenate([weigh(reference), weigh(images)])
        return cls(columns, groups, weights, np.arange(groups.max() + 1)[None] >= known)

    def exchange(self, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Permute groups between the sides, keeping their numbers: yields boolean ``[some draws, groups]``."""
        some = max(1, _AT_ONCE // len(self.groups))
        for start in range(0, draws, some):
            yield rng.permuted(np.repeat(self.observed, min(some, draws - start), axis=0), axis=1)

    def measure(self, name: str, owned: np.ndarray) -> np.ndarray:
        """Measure the distance between the sides.

        Args:
            name: Name of the quantity.
            owned: Which groups belong to the first side, boolean ``[draws, groups]``.

        Returns:
            ``[draws, columns]``; for classes ``[draws, 1]``.
        """
        number = owned[0].sum()
        sides = owned / number, ~owned / (owned.shape[1] - number)
        columns = self.columns[name]
        if name in ("abstained", "classes"):
            # A mean over groups is linear in their assignment: one product covers all permutations.
            of_groups = np.zeros((owned.shape[1], columns.shape[1]))
            np.add.at(of_groups, self.groups, columns * self.weights[:, None])
            ours, theirs = (side @ of_groups for side in sides)
            if name == "abstained":
                return np.abs(ours - theirs)
            return _measure_g(ours, theirs, number, owned.shape[1] - number)
        signed = sides[0] - sides[1]
        return np.stack([self._measure_ks(column, signed) for column in columns.T], axis=1)

    def _measure_ks(self, values: np.ndarray, signed: np.ndarray) -> np.ndarray:
        """Compute the largest difference between the two sides' distributions, ``[draws]``."""
        # The difference of two empirical distributions, walked from the smallest value to the largest.
        order = np.argsort(values, kind="stable")
        steps = signed[:, self.groups[order]] * self.weights[order]
        ends = np.append(np.diff(values[order]) > 0, True)  # count equal values together
        return np.abs(np.cumsum(steps, axis=1)[:, ends]).max(axis=1)


def _select(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if name == "classes":
        return pd.get_dummies(table["likeliest"])
    columns = QUANTITIES[name].columns
    return table[[column for column in table if column == columns or column.startswith(columns)]]


def _measure_g(ours: np.ndarray, theirs: np.ndarray, our_number: int, their_number: int) -> np.ndarray:
    """Compute G for a table of two sides and all classes, from shares ``[draws, classes]``: ``[draws, 1]``."""
    from scipy.special import rel_entr

    both = (our_number * ours + their_number * theirs) / (our_number + their_number)
    both = np.maximum(both, 1e-300)
    terms = our_number * rel_entr(ours, both) + their_number * rel_entr(theirs, both)
    return 2 * terms.sum(axis=1, keepdims=True)


def correct(p: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Apply Holm's correction, and return the level that each p was finally compared with.

    The statsmodels function runs the garbage collector at each call, which takes longer than everything else here.
    """
    order = np.argsort(p, kind="stable")
    rank = np.argsort(order)
    left = len(p) - np.arange(len(p))
    p_holm = np.minimum(np.maximum.accumulate(p[order] * left), 1)[rank]
    stopped = min(int((p_holm <= level).sum()), len(p) - 1)  # stop at the first that is not below its own level
    return p_holm, level / (len(p) - np.minimum(rank, stopped))


def _find_limit(exchanged: np.ndarray, level: float) -> float:
    """Find the largest distance without an alarm: fewer permutations exceed it than the level allows."""
    beyond = int(np.floor(level * (len(exchanged) + 1) + _TIE)) - 1
    return float(np.sort(exchanged)[::-1][beyond].round(9))


def _find_furthest(name: str, distances: np.ndarray, reference: pd.DataFrame, images: pd.DataFrame) -> tuple[str, bool]:
    """Find the column with the largest distance, and whether it increased, by mean ranks over groups."""
    both = _select(pd.concat([reference, images], ignore_index=True), name).astype(float)
    counted = both if name == "classes" else both.rank()
    before = average(counted[: len(reference)], weigh(reference))
    gain = average(counted[len(reference) :], weigh(images)) - before
    column = str(gain.idxmax() if name == "classes" else both.columns[distances.argmax()])
    return column, bool(gain[column] > 0)


def average(columns: pd.DataFrame, weights: np.ndarray) -> pd.Series:
    """Compute the weighted means of columns over groups."""
    return columns.mul(weights, axis=0).sum() / weights.sum()
