"""Test which differences between trained classifiers are significant, on the same images, with Holm's correction."""

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

    McNemar's exact test checks whether the images that only one of a pair gets right are shared evenly. It assumes that
    images are independent, which images of one group are not; the decision is therefore by an exact permutation test
    that swaps the two classifiers in whole groups. Holm's correction accounts for the number of pairs, in both tests.
    The interval contains the differences that the permutation test does not reject, for the pair alone: it excludes 0
    if, and only if, ``group_p`` is below the level.

    Args:
        hits: For each classifier, whether each image is right, boolean ``[n]``.
        groups: The group of each image.
        confidence: Confidence level of the intervals, and one minus the significance level of the tests.
        seed: Seed of the permutations for the intervals' ends.
        reference: The classifier to compare each other one with; by default all pairs are compared.

    Returns:
        One row per pair: ``first, second, difference, low, high, groups, only_first, only_second``, where the
        difference is the first accuracy minus the second; ``mcnemar_p, mcnemar_p_holm, group_p, group_p_holm``; and
        ``shown`` if ``group_p_holm`` is below the level.
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
    """Estimate the difference of two accuracies, and test whether it is zero: see ``compare_pairs``.

    Args:
        ours: Whether the first classifier is right about each image, boolean ``[n]``.
        theirs: Whether the second classifier is right about each image, boolean ``[n]``.
        groups: The group of each image.
        confidence: Confidence level of the interval.
        seed: Seed of the permutations for its ends.

    Returns:
        The difference with its interval, which is NaN if the two are right about the same images, and the exact p.
    """
    codes = number_groups(groups)
    gains = np.bincount(codes, ours.astype(float) - theirs)
    sizes = np.bincount(codes)
    group_p = permute_groups(gains)
    ends = _invert_test(gains, sizes, group_p, 1 - confidence, seed)
    return Estimate(float(gains.sum() / sizes.sum()), *ends), group_p


def permute_groups(gains: np.ndarray) -> float:
    """Compute the share of all swaps of whole groups in which two classifiers differ at least as much.

    All swaps are included: the distribution of the sum of independent signs is built up group by group.

    Args:
        gains: In each group, how many more images the first classifier gets right, whole numbers ``[groups]``.
    """
    steps = np.abs(np.rint(gains).astype(int))
    total = int(steps.sum())
    chances = np.zeros(2 * total + 1)  # for sums from -total to total
    chances[total] = 1.0
    for step in steps[steps > 0]:
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2
    sums = np.abs(np.arange(-total, total + 1))
    return float(min(1.0, chances[sums >= abs(int(np.rint(gains.sum())))].sum()))


def _invert_test(gains: np.ndarray, sizes: np.ndarray, group_p: float, level: float, seed: int) -> tuple[float, float]:
    """Find the ends of the differences that random sign swaps do not reject, using about 10,000 swaps."""
    if len(sizes) < 2 or not gains.any():  # nothing to test
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
    # At 0 the exact p is known.
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
