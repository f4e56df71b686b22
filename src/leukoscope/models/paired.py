"""Which differences between classifiers are real: tests on the same images, corrected for their number."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from leukoscope.models.intervals import estimate_figures


def compare_pairs(
    hits: Mapping[str, np.ndarray], groups: Sequence[str], resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Compare the accuracies of classifiers, pair by pair.

    McNemar's exact test asks of the images that only one of a pair gets right whether they are shared evenly; Holm's
    correction makes up for the number of pairs. McNemar's test takes images for independent, so that a difference
    counts as real only if its interval, which draws whole groups, leaves zero out too.

    Args:
        hits: For each classifier whether it is right about each image, boolean ``[n]``.
        groups: The group of each image.
        resamples: How often groups are drawn.
        confidence: Of the intervals, and one minus the level of the tests.
        seed: For the drawing.

    Returns:
        One row a pair: ``first, second, difference, low, high, only_first, only_second, p, p_holm, real``, where the
        difference is the first one's accuracy less the second one's.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    rows = []
    for first, second in combinations(hits, 2):
        ours, theirs = hits[first], hits[second]
        table = [[(ours & theirs).sum(), (ours & ~theirs).sum()], [(~ours & theirs).sum(), (~ours & ~theirs).sum()]]
        gain = partial(_average, ours.astype(float) - theirs)
        drawn = estimate_figures(gain, groups, resamples, confidence, seed)["difference"]
        counts = {"only_first": table[0][1], "only_second": table[1][0]}
        found = {"difference": drawn.value, "low": drawn.low, "high": drawn.high}
        p = mcnemar(table, exact=True).pvalue
        rows.append({"first": first, "second": second} | found | counts | {"p": p})
    columns = ["first", "second", "difference", "low", "high", "only_first", "only_second", "p"]
    pairs = pd.DataFrame(rows, columns=columns)
    corrected = multipletests(pairs["p"], 1 - confidence, method="holm")[1] if len(pairs) else []
    outside = (pairs["low"] > 0) | (pairs["high"] < 0)
    return pairs.assign(p_holm=corrected, real=outside & (np.asarray(corrected) < 1 - confidence))


def _average(gain: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    return {"difference": float(np.average(gain, weights=weights))}
