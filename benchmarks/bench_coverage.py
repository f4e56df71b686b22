"""How often a 95 % interval holds the true share, and a promised error its target, in simulated worlds.

    python benchmarks/bench_coverage.py [DATA_SETS]

Prints a table a world: images that lie in groups, nearly all of a group right or wrong; groups of unequal size with an
intraclass correlation of 0.3; and images that are groups of their own. The share of data sets whose interval holds the
true share should be between 0.93 and 0.98. Then thresholds for opinions: at most 5 % of them may have a true error
above the target.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np

from leukoscope.evaluation.calibration import measure_calibration_error
from leukoscope.evaluation.intervals import estimate_figures, estimate_share
from leukoscope.evaluation.selective import choose_threshold

LEVEL = 0.95
World = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


def lie_in_groups(sizes: Callable[[np.random.Generator], np.ndarray], share: float, correlation: float) -> World:
    """Make a world whose groups have beta-distributed shares, with a mean and an intraclass correlation."""
    first, second = share * (1 / correlation - 1), (1 - share) * (1 / correlation - 1)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        groups = np.repeat(np.arange(len(counts := sizes(rng))), counts)
        return rng.random(len(groups)) < rng.beta(first, second, len(counts))[groups], groups

    return draw


def list_worlds() -> Iterator[tuple[str, float, World]]:
    """List the worlds: words, the true share, and what draws hits and groups."""
    for groups in (6, 11, 20, 30, 60, 120):
        world = lie_in_groups(lambda rng, groups=groups: np.full(groups, 40), 0.96, 0.5)
        yield f"{groups} groups of 40 images, nearly all of a group alike", 0.96, world
    for groups in (30, 100):
        for share in (0.95, 0.8):
            world = lie_in_groups(lambda rng, groups=groups: rng.geometric(0.1, groups), share, 0.3)
            yield f"{groups} groups of 1 to about 50 images, correlation 0.3", share, world
    for images, share in ((390, 0.99), (96, 0.8)):
        yield f"{images} single images", share, lambda rng, n=images, p=share: (rng.random(n) < p, np.arange(n))


def cover(world: World, share: float, data_sets: int) -> tuple[float, float, float, float]:
    """Give how often an interval covers, how often it lies above and below the truth, and its mean width."""
    rng = np.random.default_rng(0)
    ends = np.array([estimate_share(*world(rng), LEVEL)[1:] for _ in range(data_sets)])
    above, below = (ends[:, 0] > share).mean(), (ends[:, 1] < share).mean()
    return 1 - above - below, above, below, np.diff(ends, axis=1).mean()


def promise(images: int, target: float, risk: Callable[[np.ndarray], np.ndarray], data_sets: int) -> tuple[float, ...]:
    """Give how often the true error is above the target, how often any opinion is given, and on how many images."""
    rng, grid = np.random.default_rng(0), np.linspace(0, 1, 10_001)
    above, covered = 0, []
    for _ in range(data_sets):
        confidence = rng.random(images)
        hits = rng.random(images) >= risk(confidence)
        threshold = choose_threshold(hits, confidence, np.arange(images), target, 1 - LEVEL).confidence
        if threshold <= 1:
            above += risk(grid[grid >= threshold]).mean() > target
            covered.append(1 - threshold)
    return above / data_sets, len(covered) / data_sets, float(np.mean(covered)) if covered else 0.0


def cover_figures(images: int, confidence: float, accuracy: float, data_sets: int) -> tuple[float, float]:
    """Give how often a reflected interval of the calibration error, and a BCa interval of a mean, cover."""
    rng, groups = np.random.default_rng(0), np.arange(images)
    table = np.tile([confidence, 1 - confidence], (images, 1))
    predicted, found = np.zeros(images, int), []
    for _ in range(data_sets):
        truth = (rng.random(images) >= accuracy).astype(int)
        losses = np.where(truth, rng.exponential(3, images), rng.exponential(0.1, images))

        def score(weights: np.ndarray, truth: np.ndarray = truth, losses: np.ndarray = losses) -> dict[str, float]:
            error = measure_calibration_error(truth, table, predicted, weights)
            return {"ece": error, "loss": float(np.average(losses, weights=weights))}

        estimates = estimate_figures(score, groups, 500, LEVEL, 1, ("ece",))
        truths = {"ece": abs(confidence - accuracy), "loss": 0.1 * accuracy + 3 * (1 - accuracy)}
        found.append([estimates[name].low <= true <= estimates[name].high for name, true in truths.items()])
    return tuple(np.mean(found, axis=0))


def main() -> None:
    """Print all tables."""
    data_sets = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    print(f"Share of {data_sets:,} data sets whose {LEVEL:.0%} interval holds the true share\n")
    print("| world | true share | covered | above | below | mean width |\n|---|---|---|---|---|---|")
    for words, share, world in list_worlds():
        found = " | ".join(f"{value:.3f}" for value in cover(world, share, data_sets))
        print(f"| {words} | {share} | {found} |", flush=True)
    few = max(data_sets // 10, 20)
    print(f"\nShare of {few:,} data sets whose interval holds the true calibration error (reflected) or loss (BCa)\n")
    print("| images | confidence | accuracy | calibration error | loss |\n|---|---|---|---|---|")
    for images, confidence, accuracy in ((390, 0.99, 0.985), (390, 0.99, 0.97), (96, 0.9, 0.8)):
        found = " | ".join(f"{value:.3f}" for value in cover_figures(images, confidence, accuracy, few))
        print(f"| {images} | {confidence} | {accuracy} | {found} |", flush=True)
    print(f"\nShare of {data_sets:,} data sets whose opinions have a true error above the target\n")
    print("| images | target | risk at confidence c | above | any opinion | of the images |\n|---|---|---|---|---|---|")
    for images, target in ((96, 0.15), (390, 0.02), (390, 0.05), (3000, 0.02)):
        risks = {
            "just above the target": lambda c, target=target: np.full(len(c), 1.001 * target),
            "3 target (1 - c)": lambda c, target=target: 3 * target * (1 - c),
            "0.5 (1 - c)^3": lambda c: 0.5 * (1 - c) ** 3,
        }
        for words, risk in risks.items():
            found = " | ".join(f"{value:.3f}" for value in promise(images, target, risk, data_sets))
            print(f"| {images} | {target} | {words} | {found} |", flush=True)


if __name__ == "__main__":
    main()
