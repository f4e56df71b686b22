"""Selective prediction: the confidence from which opinions are given, to guarantee a share of wrong ones."""

from typing import NamedTuple

import numpy as np

from leukoscope.evaluation.intervals import number_groups

# Above any probability, so the classifier always abstains.
NEVER = 1.001


class Threshold(NamedTuple):
    """The confidence from which opinions are given, and the guarantee on their error.

    Attributes:
        confidence: The classifier abstains below it; ``NEVER``: always.
        error_bound: Upper bound that was shown for the share of wrong opinions; ``None`` if none was shown.
        groups: Groups of validation images with an opinion, as an effective number of equal size.
        needed: Number of groups without an error that would show the target.
    """

    confidence: float
    error_bound: float | None
    groups: float
    needed: int


def choose_threshold(
    hits: np.ndarray, confidence: np.ndarray, groups: np.ndarray, target_error: float, level: float
) -> Threshold:
    """Find the lowest confidence for which the share of wrong opinions is shown to stay within a target.

    Uses Learn then Test (Angelopoulos et al. 2021) with fixed sequences: starting with the most confident opinions,
    each further one is included while the exact upper bound (Clopper and Pearson 1934) of the share of wrong ones is at
    most the target; the first failure ends the sequence. Sequences start at a half, a quarter and so on of the images,
    while that many could show the target at all, and share the level: a single confident error ends only the short
    ones. Images of a group count as one, as if all were right or wrong together. If groups differ in size, all count as
    if they were as large as the largest, since errors may be concentrated in it.

    Args:
        hits: Which opinions are right, ``[n]``.
        confidence: Confidence of each opinion, ``[n]``.
        groups: The group of each image.
        target_error: The largest acceptable share of wrong opinions among those given.
        level: How often the true share may exceed the target: one minus the confidence of the guarantee.

    Returns:
        The threshold; its confidence is ``NEVER`` if no confidence shows the target.
    """
    needed = count_needed(target_error, level)
    if not len(hits):
        return Threshold(NEVER, None, 0.0, needed)
    levels, effective, wrong = _trace_groups(hits, confidence, number_groups(groups))
    # Fixed-sequence testing: each sequence gets its share of the level, and stops at its first failure.
    starts = _choose_starts(effective[-1], target_error, level)
    bounds = _bound_share(wrong, effective, level / len(starts))
    last = max((_follow(bounds <= target_error, effective >= start) for start in starts), default=-1)
    if last < 0:
        return Threshold(NEVER, None, 0.0, needed)
    # Half-way to the first confidence that fails, so rounding of probabilities changes no opinion.
    lowest = 0.0 if last == len(levels) - 1 else float(levels[last] + levels[last + 1]) / 2
    return Threshold(lowest, float(bounds[last]), float(effective[last]), needed)


def _choose_starts(groups: float, target_error: float, level: float) -> list[float]:
    """List the sizes at which sequences start: only the size needed, if there are too few groups for halves."""
    starts: list[float] = []
    while (size := groups / 2 ** (len(starts) + 1)) >= count_needed(target_error, level / (len(starts) + 1)):
        starts.append(size)
    return starts or [float(count_needed(target_error, level))]


def choose_unproven(hits: np.ndarray, confidence: np.ndarray, target_error: float) -> float:
    """Find the lowest confidence for which the share of wrong opinions meets the target on these very images.

    On other images the share exceeds the target about as often as not.
    """
    coverage, risk, levels = trace_risk(hits, confidence)
    kept = np.flatnonzero(risk <= target_error)
    if not len(kept):
        return NEVER
    return 0.0 if coverage[kept[-1]] == 1 else float(levels[kept[-1]])


def count_needed(target_error: float, level: float) -> int:
    """Count the groups without an error that show an error of at most the target: 149 for 2 % at a level of 5 %."""
    return int(np.ceil(np.log(level) / np.log1p(-target_error)))


def _trace_groups(hits: np.ndarray, confidence: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Compute the effective number of groups, and of wrong ones, for opinions down to each confidence, highest first.

    Returns:
        ``levels``, effective groups and effective wrong groups, ``[levels]`` each.
    """
    order = np.argsort(-confidence, kind="stable")
    sizes = np.zeros(codes.max() + 1)
    largest = np.empty(len(order))
    # The largest group so far bounds how many images can be one observation.
    for place, code in enumerate(codes[order]):
        sizes[code] += 1
        largest[place] = max(sizes[code], largest[place - 1] if place else 0)
    images = np.arange(1, len(order) + 1)
    # Images of equal confidence are accepted or rejected together.
    ends = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    effective = images[ends] / largest[ends]  # shares of a largest group are sums that Hoeffding 1956 bounds
    return confidence[order][ends], effective, effective * np.cumsum(~hits[order])[ends] / images[ends]


def _bound_share(wrong: np.ndarray, number: np.ndarray, level: float) -> np.ndarray:
    from scipy.stats import beta

    bounds = np.ones(len(wrong))
    some = wrong < number
    # Clopper-Pearson; its parameters are not whole numbers if groups differ in size.
    bounds[some] = beta.ppf(1 - level, wrong[some] + 1, (number - wrong)[some])
    return bounds


def _follow(passed: np.ndarray, begun: np.ndarray) -> int:
    """Return the last place of the sequence that passes from its start without a failure; -1 if there is none."""
    if not begun.any():
        return -1
    start = int(begun.argmax())
    failed = np.flatnonzero(~passed[start:])
    return start + (int(failed[0]) if len(failed) else len(passed) - start) - 1 if passed[start] else -1


def check_predictions(
    truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which predictions are right, and the confidence of each.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
        predicted: The number of each image's predicted class, ``[n]``; by default its likeliest.
    """
    predicted = probabilities.argmax(axis=1) if predicted is None else predicted
    return predicted == truth, probabilities[np.arange(len(truth)), predicted]


def trace_risk(
    hits: np.ndarray, confidence: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the risk at each coverage, most confident opinions first (El-Yaniv and Wiener 2010).

    Args:
        hits: Which opinions are right, ``[n]``.
        confidence: Confidence of each opinion, ``[n]``.
        weights: Weight of each opinion, ``[n]``; by default all are equal.

    Returns:
        The share of images with an opinion, the share of these that are wrong, and the lowest confidence among them:
        ``[levels]`` each, most confident first; opinions of equal confidence are given together.
    """
    weights = np.ones(len(hits)) if weights is None else weights
    some = weights > 0
    levels, numbers = np.unique(-confidence[some], return_inverse=True)
    counted = np.cumsum(np.bincount(numbers, weights[some]))
    wrong = np.cumsum(np.bincount(numbers, weights[some] * ~hits[some]))
    return counted / counted[-1], wrong / counted, -levels


def measure_aurc(hits: np.ndarray, confidence: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Compute the area under the risk-coverage curve: the mean over images of the risk at each one's confidence.

    Follows Geifman, Uziel and El-Yaniv 2019, Bias-reduced uncertainty estimation for deep neural classifiers
    (equation 2); images of equal confidence share the risk of giving opinions on all of them.
    """
    coverage, risk, _ = trace_risk(hits, confidence, weights)
    return float(np.diff(coverage, prepend=0) @ risk)
