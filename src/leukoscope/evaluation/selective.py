"""From which confidence on a classifier gives an opinion, so that a stated share of wrong ones can be promised."""

from typing import NamedTuple

import numpy as np

from leukoscope.evaluation.intervals import number_groups

# More than any probability, so that a classifier always abstains.
NEVER = 1.001


class Threshold(NamedTuple):
    """From which confidence on opinions are given, and what is known of their error.

    Attributes:
        confidence: Below it the classifier abstains; ``NEVER``: always.
        error_bound: What the share of wrong opinions is shown to be at most; ``None`` where none was shown.
        groups: Groups of validation images with an opinion, as many of equal size as they are worth.
        needed: How many groups without an error would show the target.
    """

    confidence: float
    error_bound: float | None
    groups: float
    needed: int


def choose_threshold(
    hits: np.ndarray, confidence: np.ndarray, groups: np.ndarray, target_error: float, level: float
) -> Threshold:
    """Find the lowest confidence down to which the share of wrong opinions is shown to keep to a target.

    Learn then test (Angelopoulos et al. 2021), by fixed sequences: from the surest opinions on, each further one is
    taken in while the exact upper bound (Clopper and Pearson 1934) of the share of wrong ones is at most the target;
    the first failure ends the sequence. Sequences start at a half, a quarter and so on of the images, as far as so many
    could show the target at all, and share the level: a single sure error ends only the short ones. Images of a group
    count as one, as if all were right or wrong together. Where groups differ in size, all count as if they were as
    large as the largest: errors may lie in just these.

    Args:
        hits: Which opinions are right, ``[n]``.
        confidence: How sure each is, ``[n]``.
        groups: The group of each image.
        target_error: The share of wrong opinions, of those given, that is to be kept to.
        level: How often the true share may be above the target: one minus the confidence of the promise.

    Returns:
        ``NEVER``, where the target cannot be shown for any of them.
    """
    needed = count_needed(target_error, level)
    if not len(hits):
        return Threshold(NEVER, None, 0.0, needed)
    levels, effective, wrong = _trace_groups(hits, confidence, number_groups(groups))
    # Fixed-sequence testing: each sequence has its share of the level, and stops at its first failure.
    starts = _choose_starts(effective[-1], target_error, level)
    bounds = _bound_share(wrong, effective, level / len(starts))
    last = max((_follow(bounds <= target_error, effective >= start) for start in starts), default=-1)
    if last < 0:
        return Threshold(NEVER, None, 0.0, needed)
    # Half-way to the first confidence that fails, so that rounding of probabilities changes no opinion.
    lowest = 0.0 if last == len(levels) - 1 else float(levels[last] + levels[last + 1]) / 2
    return Threshold(lowest, float(bounds[last]), float(effective[last]), needed)


def _choose_starts(groups: float, target_error: float, level: float) -> list[float]:
    """List the sizes at which sequences start: the size that is needed, where there are too few groups for halves."""
    starts: list[float] = []
    while (size := groups / 2 ** (len(starts) + 1)) >= count_needed(target_error, level / (len(starts) + 1)):
        starts.append(size)
    return starts or [float(count_needed(target_error, level))]


def choose_unproven(hits: np.ndarray, confidence: np.ndarray, target_error: float) -> float:
    """Find the lowest confidence down to which the share of wrong opinions stays at the target on these very images.

    Elsewhere it is above the target about as often as below it.
    """
    coverage, risk, levels = trace_risk(hits, confidence)
    kept = np.flatnonzero(risk <= target_error)
    if not len(kept):
        return NEVER
    return 0.0 if coverage[kept[-1]] == 1 else float(levels[kept[-1]])


def count_needed(target_error: float, level: float) -> int:
    """Count the groups that must all be right to show that at most so many are wrong: 149 for 2 % at a level of 5 %."""
    return int(np.ceil(np.log(level) / np.log1p(-target_error)))


def _trace_groups(hits: np.ndarray, confidence: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give for each confidence, the highest first, how many groups opinions down to it are worth, and how many wrong.

    Returns:
        ``levels``, effective groups and, of these, wrong ones, ``[levels]`` each.
    """
    order = np.argsort(-confidence, kind="stable")
    sizes = np.zeros(codes.max() + 1)
    largest = np.empty(len(order))
    # The largest group so far bounds how many images can be one observation.
    for place, code in enumerate(codes[order]):
        sizes[code] += 1
        largest[place] = max(sizes[code], largest[place - 1] if place else 0)
    images = np.arange(1, len(order) + 1)
    # Images of equal confidence are accepted or refused together.
    ends = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    effective = images[ends] / largest[ends]  # shares of a largest group are sums that Hoeffding 1956 bounds
    return confidence[order][ends], effective, effective * np.cumsum(~hits[order])[ends] / images[ends]


def _bound_share(wrong: np.ndarray, number: np.ndarray, level: float) -> np.ndarray:
    from scipy.stats import beta

    bounds = np.ones(len(wrong))
    some = wrong < number
    # Clopper-Pearson, its parameters no whole numbers where groups differ in size.
    bounds[some] = beta.ppf(1 - level, wrong[some] + 1, (number - wrong)[some])
    return bounds


def _follow(passed: np.ndarray, begun: np.ndarray) -> int:
    """Give the last place of the sequence that passes from its start on without a failure; -1 for none."""
    if not begun.any():
        return -1
    start = int(begun.argmax())
    failed = np.flatnonzero(~passed[start:])
    return start + (int(failed[0]) if len(failed) else len(passed) - start) - 1 if passed[start] else -1


def check_predictions(
    truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Give which predictions are right, and how sure the classifier is of each.

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
    """Give the risk at each coverage: the surest opinions first (El-Yaniv and Wiener 2010).

    Args:
        hits: Which opinions are right, ``[n]``.
        confidence: How sure each is, ``[n]``.
        weights: How much each counts, ``[n]``; by default all count as much.

    Returns:
        The share of images with an opinion, the share of these that are wrong, and the confidence down to which they
        are given: ``[levels]`` each, from the surest on; opinions of one confidence are given together.
    """
    weights = np.ones(len(hits)) if weights is None else weights
    some = weights > 0
    levels, numbers = np.unique(-confidence[some], return_inverse=True)
    counted = np.cumsum(np.bincount(numbers, weights[some]))
    wrong = np.cumsum(np.bincount(numbers, weights[some] * ~hits[some]))
    return counted / counted[-1], wrong / counted, -levels


def measure_aurc(hits: np.ndarray, confidence: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Give the area under the curve of risk and coverage: the mean over the images of the risk down to each.

    As Geifman, Uziel and El-Yaniv 2019, Bias-reduced uncertainty estimation for deep neural classifiers (equation 2);
    images of one confidence share the risk of giving opinions on all of them.
    """
    coverage, risk, _ = trace_risk(hits, confidence, weights)
    return float(np.diff(coverage, prepend=0) @ risk)
