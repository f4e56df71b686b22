"""Which differences between trained classifiers are shown: tests on the same images, corrected for their number."""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from leukoscope.evaluation.intervals import Estimate, number_groups

_FLIPS = 9_999
_STEPS = 60  # of bisection
_COLUMNS = ["first", "second", "difference", "low", "high", "groups", "only_first", "only_second"]
_COLUMNS += ["mcnemar_p", "group_p"]


def compare_pairs(
    hits: Mapping[str, np.ndarray],
    groups: ArrayLike,
    confidence: float,
    seed: int,
    reference: str | None = None,
) -> pd.DataFrame:
    """Compare the accuracies of classifiers, pair by pair.

    McNemar's exact test asks of the images that only one of a pair gets right whether they are shared evenly. It takes
    images for independent, which those of one group are not; what decides is a permutation test that swaps the two
    classifiers in whole groups, whose p is exact. Holm's correction makes up for the number of pairs, in both. The
    interval holds the differences that the same test does not reject, for the pair by itself: it leaves out 0 if, and
    only if, ``group_p`` is below the level.

    Args:
        hits: For each classifier whether it is right about each image, boolean ``[n]``.
        groups: The group of each image.
        confidence: Of the intervals, and one minus the level of the tests.
        seed: For the swaps from which the interval's ends are found.
        reference: The classifier that each other one is compared with; by default each is with each.

    Returns:
        One row a pair: ``first, second, difference, low, high, groups, only_first, only_second``, where the difference
        is the first one's accuracy less the second one's; ``mcnemar_p, mcnemar_p_holm, group_p, group_p_holm``, and
        ``shown`` where the last of these is below the level.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    codes = number_groups(groups)
    rows = []
    pairs = combinations(hits, 2) if reference is None else ((name, reference) for name in hits if name != reference)
    for first, second in pairs:
        ours = hits[first]
        theirs = hits[second]
        table = [[(ours & theirs).sum(), (ours & ~theirs).sum()], [(~ours & theirs).sum(), (~ours & ~theirs).sum()]]
        estimate, group_p = estimate_difference(ours, theirs, codes, confidence, seed)
        estimates = {
            "difference": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "groups": codes.max() + 1,
        }
        counts = {"only_first": table[0][1], "only_second": table[1][0]}
        tests = {"mcnemar_p": mcnemar(table, exact=True).pvalue, "group_p": group_p}
        rows.append({"first": first, "second": second} | estimates | counts | tests)
    pairs_table = pd.DataFrame(rows, columns=_COLUMNS)
    for test in ("mcnemar_p", "group_p"):
        corrected = multipletests(pairs_table[test], method="holm")[1] if rows else []
        pairs_table[f"{test}_holm"] = corrected
    return pairs_table.assign(shown=pairs_table["group_p_holm"] < 1 - confidence)


def estimate_difference(
    ours: np.ndarray, theirs: np.ndarray, groups: ArrayLike, confidence: float, seed: int
) -> tuple[Estimate, float]:
    """Estimate the difference of two accuracies, and test whether there is one: see ``compare_pairs``.

    Args:
        ours: Whether the first classifier is right about each image, boolean ``[n]``.
        theirs: The same of the second.
        groups: The group of each image.
        confidence: Of the interval.
        seed: For the swaps from which its ends are found.

    Returns:
        The difference with its interval, which is NaN where no image tells the two apart, and the exact p.
    """
    codes = number_groups(groups)
    gains = np.bincount(codes, ours.astype(float) - theirs)
    sizes = np.bincount(codes)
    group_p = permute_groups(gains)
    ends = _invert_test(gains, sizes, group_p, 1 - confidence, seed)
    return Estimate(float(gains.sum() / sizes.sum()), *ends), group_p


def permute_groups(gains: np.ndarray) -> float:
    """Give the share of all swaps of whole groups in which two classifiers differ as much, or more.

    Every swap counts: the distribution of the sum is that of independent signs, built up group by group.

    Args:
        gains: In each group how many more images the first one gets right, whole numbers ``[groups]``.
    """
    steps = np.abs(np.rint(gains).astype(int))
    total = int(steps.sum())
    chances = np.zeros(2 * total + 1)  # of the sums from -total to total
    chances[total] = 1.0
    for step in steps[steps > 0]:
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2
    sums = np.abs(np.arange(-total, total + 1))
    return float(min(1.0, chances[sums >= abs(int(np.rint(gains.sum())))].sum()))


def _invert_test(gains: np.ndarray, sizes: np.ndarray, group_p: float, level: float, seed: int) -> tuple[float, float]:
    """Find the ends of the differences that swapping signs at random does not reject, for about 10,000 swaps."""
    if len(sizes) < 2 or not gains.any():  # nothing to go by
        return np.nan, np.nan
    signs = np.random.default_rng(seed).integers(0, 2, (_FLIPS, len(sizes)), dtype=np.int8) * 2.0 - 1.0
    by_gain = signs @ gains
    by_size = signs @ sizes
    difference = gains.sum() / sizes.sum()

    def is_rejected(guess: float) -> bool:
        ours = abs(gains.sum() - guess * sizes.sum())
        as_far = np.abs(by_gain - guess * by_size) >= ours * (1 - 1e-9)
        return (as_far.sum() + 1) / (_FLIPS + 1) < level

    low, high = (_bisect(is_rejected, difference, end) for end in (-1.0, 1.0))
    # At 0 the exact test is known.
    if group_p >= level:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, np.nextafter(0, 1)), high) if difference > 0 else (low, min(high, np.nextafter(0, -1)))


def _bisect(is_rejected: Callable[[float], bool], inside: float, outside: float) -> float:
    if not is_rejected(outside):
        return outside
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if is_rejected(middle) else (middle, outside)
    return inside
