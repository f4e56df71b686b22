"""Which differences between classifiers are real: tests on the same images, corrected for their number."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from leukoscope.models.intervals import estimate_figures, number_groups

_SWAPS = 9_999
_COLUMNS = ["first", "second", "difference", "low", "high", "groups", "only_first", "only_second"]
_COLUMNS += ["mcnemar_p", "group_p"]


def compare_pairs(
    hits: Mapping[str, np.ndarray],
    groups: Sequence[str],
    resamples: int,
    confidence: float,
    seed: int,
    reference: str | None = None,
) -> pd.DataFrame:
    """Compare the accuracies of classifiers, pair by pair.

    McNemar's exact test asks of the images that only one of a pair gets right whether they are shared evenly. It takes
    images for independent, which those of one group are not; what decides is a permutation test that swaps the two
    classifiers in whole groups. Holm's correction makes up for the number of pairs, in both.

    Args:
        hits: For each classifier whether it is right about each image, boolean ``[n]``.
        groups: The group of each image.
        resamples: How often groups are drawn.
        confidence: Of the intervals, and one minus the level of the tests.
        seed: For the drawing.
        reference: The classifier that each other one is compared with; by default each is with each.

    Returns:
        One row a pair: ``first, second, difference, low, high, groups, only_first, only_second``, where the difference
        is the first one's accuracy less the second one's; ``mcnemar_p, mcnemar_p_holm, group_p, group_p_holm``, and
        ``real`` where the last of these is below the level.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    rows = []
    pairs = combinations(hits, 2) if reference is None else ((one, reference) for one in hits if one != reference)
    for first, second in pairs:
        ours, theirs = hits[first], hits[second]
        table = [[(ours & theirs).sum(), (ours & ~theirs).sum()], [(~ours & theirs).sum(), (~ours & ~theirs).sum()]]
        gain = ours.astype(float) - theirs
        drawn = estimate_figures(partial(_average, gain), groups, resamples, confidence, seed)["difference"]
        counts = {"only_first": table[0][1], "only_second": table[1][0]}
        found = {"difference": drawn.value, "low": drawn.low, "high": drawn.high, "groups": len(np.unique(groups))}
        tests = {"mcnemar_p": mcnemar(table, exact=True).pvalue, "group_p": _permute(gain, groups, seed)}
        rows.append({"first": first, "second": second} | found | counts | tests)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    for test in ("mcnemar_p", "group_p"):
        table[f"{test}_holm"] = multipletests(table[test], method="holm")[1] if len(table) else []
    return table.assign(real=table["group_p_holm"] < 1 - confidence)


def _permute(gain: np.ndarray, groups: Sequence[str], seed: int) -> float:
    """Swap two classifiers in whole groups at random, and see how often they then differ as much."""
    from scipy.stats import permutation_test

    gains = np.bincount(number_groups(groups), gain)
    gains = gains[gains != 0]  # the others are the same either way
    if len(gains) < 2:
        return 1.0
    found = permutation_test(
        (gains,),
        lambda one, axis: one.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_SWAPS,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _average(gain: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    return {"difference": float(np.average(gain, weights=weights))}
