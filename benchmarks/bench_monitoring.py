"""How often monitoring alarms falsely, and how often it notices a change, on drawn smears.

    python benchmarks/bench_monitoring.py [WINDOWS]

A classifier of 24 moments of colour learns from drawn smears, of which each class has its stains. Some of the others
are drawn for its calibration and as validation images, again and again; windows of the rest are compared with them.
Prints the share of windows with an alarm: of images like those of validation, as monitoring corrects and without its
correction; of fields that come five to a smear of one stain, with groups and as if each stood for itself; and of images
that were changed.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from harness import CLASSES, describe_machine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leukoscope.evaluation.drift import Change, compare
from leukoscope.evaluation.opinion_facts import mark_abstained, tabulate_facts
from leukoscope.evaluation.out_of_distribution import KnownImages
from leukoscope.evaluation.trust import Targets, calibrate, form_opinions
from leukoscope.features.colour import measure_colours
from leukoscope.images.circumstances import CIRCUMSTANCES
from leukoscope.images.field_checks import check_fields
from leukoscope.synthetic import draw_smear
from leukoscope.synthetic.stains import Stain

SIDE, MAGNIFICATION = 64, 3.0
LEVEL = 0.05
DRAWS = 999  # half as many as monitoring takes
VALIDATION, TRAINING, OTHERS = 150, 300, 700
SMEARS, FIELDS = 160, 5
SIZES = (40, 100)
CHANGES = {
    "another stain": CIRCUMSTANCES["stain"][1],
    "a yellowish lamp": CIRCUMSTANCES["light"][2],
    "out of focus": CIRCUMSTANCES["focus"][1],
}


class Images(NamedTuple):
    """Drawn smears, as far as a classifier and its checks see them.

    Attributes:
        features: 24 moments of colour.
        checks: Of the fields.
        labels: The number of each one's class.
        smears: Which smear it is a field of.
    """

    features: np.ndarray
    checks: np.ndarray
    labels: np.ndarray
    smears: np.ndarray

    def take(self, rows: np.ndarray) -> "Images":
        """Take some of them."""
        return Images(*(part[rows] for part in self))


def measure(fields: np.ndarray, labels: np.ndarray, smears: np.ndarray) -> Images:
    """Measure what is seen of fields."""
    features = np.array([measure_colours(field.reshape(-1, 3)) for field in fields])
    return Images(features, check_fields(fields), labels, smears)


def draw(count: int, fields: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw so many fields, so many of each smear: pixels, classes and smears."""
    rng = np.random.default_rng(seed)
    smears = np.arange(count) // fields
    kinds = rng.integers(0, len(CLASSES), smears[-1] + 1)
    # Stains of neighbouring classes overlap, so that colour tells something of the class.
    stains = [Stain.draw(rng, (kind + rng.uniform(0, 1)) / len(CLASSES)) for kind in kinds]
    pixels = [draw_smear(CLASSES[kinds[one]], rng, SIDE, stains[one], MAGNIFICATION) for one in smears]
    return np.stack(pixels), kinds[smears], smears


class Model:
    """A classifier that learned from some smears, with what it knows of these."""

    def __init__(self, training: Images) -> None:
        self._classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        self._classifier.fit(training.features, training.labels)
        self._known = KnownImages(training.features, training.checks, np.array(CLASSES)[training.labels])

    def watch(self, validation: Images, *others: Images) -> list[pd.DataFrame]:
        """Calibrate on validation images, and give the facts of opinions on them and on others."""
        chances = self._classifier.predict_proba(validation.features)
        scores = self._known.compare(validation.features, validation.checks).score
        groups = np.arange(len(scores))
        learned = calibrate(validation.labels, chances, scores, groups, [0], Targets(0.2, unproven=True))
        return [self._reduce(images, learned) for images in (validation, *others)]

    def _reduce(self, images: Images, learned) -> pd.DataFrame:
        ood = self._known.compare(images.features, images.checks)
        opinions = form_opinions(self._classifier.predict_proba(images.features), ood, learned, CLASSES)
        facts = tabulate_facts(opinions, CLASSES, self._known.summarise(images.features, images.checks))
        return facts.assign(abstained=mark_abstained(facts), group=images.smears)


def alone(facts: pd.DataFrame) -> pd.DataFrame:
    """Let each image stand for itself."""
    return facts.assign(group=np.arange(len(facts)))


def has_alarm(changes: dict[str, Change]) -> bool:
    """Tell whether any quantity has an alarm."""
    return any(change.alarm for change in changes.values())


def judge_false(model: Model, pool: Images, size: int, windows: int) -> tuple[float, float]:
    """Give the share of windows with an alarm where nothing changed, with the correction and without it."""
    found = []
    for number, (known, new) in enumerate(draw_windows(model, pool, size, windows)):
        changes = compare(alone(known), alone(new), LEVEL, number, DRAWS)
        found.append((has_alarm(changes), any(change.p <= LEVEL for change in changes.values())))
    return tuple(np.mean(found, axis=0))


def draw_windows(model: Model, pool: Images, size: int, windows: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Draw validation images and a window that has none of them, each time anew."""
    rng = np.random.default_rng(size)
    for _ in range(windows):
        rows = rng.permutation(len(pool.labels))
        yield model.watch(pool.take(rows[:VALIDATION]), pool.take(rows[VALIDATION : VALIDATION + size]))


def judge_smears(model: Model, pool: Images, size: int, windows: int) -> tuple[float, float]:
    """Give the same share of fields that come together, with groups and without them."""
    rng, found = np.random.default_rng(size), []
    for number in range(windows):
        smears = rng.permutation(pool.smears.max() + 1)
        ours, theirs = smears[: VALIDATION // FIELDS], smears[VALIDATION // FIELDS : (VALIDATION + size) // FIELDS]
        known, new = model.watch(*(pool.take(np.isin(pool.smears, some)) for some in (ours, theirs)))
        both = compare(known, new, LEVEL, number, DRAWS), compare(alone(known), alone(new), LEVEL, number, DRAWS)
        found.append(tuple(map(has_alarm, both)))
    return tuple(np.mean(found, axis=0))


def judge_changed(
    model: Model, pool: Images, size: int, windows: int, change: Callable[[np.ndarray, int], Images]
) -> tuple[float, str]:
    """Give the share of windows of changed images with an alarm, and what raised it most often."""
    rng, alarms, named = np.random.default_rng(size), 0, pd.Series(dtype=int)
    for number in range(windows):
        rows = rng.permutation(len(pool.labels))
        known, new = model.watch(pool.take(rows[:VALIDATION]), change(rows[VALIDATION:], size))
        changes = compare(alone(known), alone(new), LEVEL, number, DRAWS)
        alarms += has_alarm(changes)
        named = named.add(pd.Series({name: int(one.alarm) for name, one in changes.items()}), fill_value=0)
    first = named.sort_values(ascending=False, kind="stable")
    return alarms / windows, ", ".join(f"{name} {count / windows:.2f}" for name, count in first.items() if count)


def main() -> None:
    """Print all tables."""
    logging.disable(logging.WARNING)  # of each calibration
    windows, started = int(sys.argv[1]) if len(sys.argv) > 1 else 300, time.process_time()
    training = measure(*draw(TRAINING, 1, 1))
    pixels, labels, smears = draw(OTHERS, 1, 2)
    model, pool = Model(training), measure(pixels, labels, smears)
    print(f"{describe_machine()}\n\nShare of {windows} windows of images like those of validation that have an alarm\n")
    print("| images | as monitoring has it | each quantity at 0.05 by itself |\n|---|---|---|")
    for size in SIZES:
        corrected, single = judge_false(model, pool, size, windows)
        print(f"| {size} | {corrected:.3f} | {single:.3f} |", flush=True)
    print(f"\nThe same of {windows // 2} windows with {FIELDS} fields a smear\n")
    print("| images | by groups | each image for itself |\n|---|---|---|")
    together = measure(*draw(SMEARS * FIELDS, FIELDS, 3))
    for size in SIZES:
        print("| {} | {:.3f} | {:.3f} |".format(size, *judge_smears(model, together, size, windows // 2)), flush=True)
    few = max(10, windows // 10)
    print(f"\nShare of {few} windows that have an alarm where something changed, and of what\n")
    print("| change | images | alarm | of |\n|---|---|---|---|")
    for words, change in list_changes(pixels, labels, pool):
        for size in SIZES:
            share, named = judge_changed(model, pool, size, few, change)
            print(f"| {words} | {size} | {share:.2f} | {named} |", flush=True)
    print(f"\n{time.process_time() - started:.0f} seconds of processor time")


def list_changes(
    pixels: np.ndarray, labels: np.ndarray, pool: Images
) -> Iterator[tuple[str, Callable[[np.ndarray, int], Images]]]:
    """List the changes: words, and what gives so many changed images of some rows."""
    for words, change in CHANGES.items():
        changed = measure(np.stack([change(field) for field in pixels]), labels, pool.smears)
        yield words, lambda rows, size, changed=changed: changed.take(rows[:size])
    benign = np.flatnonzero(labels == 0)
    yield "half of them Benign", lambda rows, size: pool.take(mix(rows, benign)[:size])


def mix(rows: np.ndarray, benign: np.ndarray) -> np.ndarray:
    """Take one of a class and one of the others in turn."""
    is_benign = np.isin(rows, benign)
    ours, others = rows[is_benign], rows[~is_benign]
    both = min(len(ours), len(others))
    return np.stack([ours[:both], others[:both]], axis=1).ravel()


if __name__ == "__main__":
    main()
