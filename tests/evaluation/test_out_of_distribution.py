import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation import feature_table, out_of_distribution
from leukoscope.evaluation.out_of_distribution import NO_LIMIT, KnownImages, choose_limit, describe_missed
from leukoscope.images.decoding import Limits, decode, resize
from leukoscope.images.field_checks import CHECKS, check_fields
from leukoscope.images.perturbations import OUTLIERS, perturb
from leukoscope.synthetic import CLASSES, draw_smear

NAMES = [check.name for check in CHECKS]
LABELS = np.repeat(["Benign", "Pro"], 101)
# Of both classes each check runs from -1 to 1; of the second one it is ten higher and runs twice as far.
STEPS = np.linspace(-1, 1, 101)
FIELDS = np.concatenate([np.tile(STEPS[:, None], len(CHECKS)), 10 + 2 * np.tile(STEPS[:, None], len(CHECKS))])


def know(checks=FIELDS, labels=LABELS, features=None) -> KnownImages:
    features = np.zeros((len(checks), 1)) if features is None else features
    return KnownImages(features, checks, labels)


def ask(known: KnownImages, **checks: float):
    """What is said of a field in the middle of the first class but for some checks."""
    field = np.array([[checks.get(name, 0.0) for name in NAMES]])
    found = known.compare(np.zeros((1, 1)), field)
    return found.score[0], found.why[0]


def test_a_check_counts_by_how_far_beyond_the_usual_it_is_in_both_directions():
    # Usual is all but a hundredth at either end: up to 0.98.
    assert ask(know())[0] == pytest.approx(0)
    assert ask(know(), log_cells=-1.96) == (pytest.approx(2), "hardly any stained cells")
    assert ask(know(), log_cells=4.9) == (pytest.approx(5), "more stained cells")
    assert ask(know(), log_sharpness=-2.94) == (pytest.approx(3), "out of focus")
    assert ask(know(), log_sharpness=2.94, red_share=-3.92) == (pytest.approx(4), "other colours")


def test_each_class_has_its_own_spread_and_a_field_need_fit_one_only():
    known = know()
    middle = dict.fromkeys(NAMES, 10.0)
    assert ask(known, **middle | {"log_contrast": 10 - 2 * 0.98 * 1.5})[0] == pytest.approx(1.5)
    # Half of each is neither: nearest to the second class, whose spread is twice as large.
    assert ask(known, log_cells=10, red_share=10)[0] == pytest.approx(10 / 1.96)


def test_a_difference_that_means_nothing_stays_small_however_alike_the_training_images_are():
    flat = know(np.zeros((20, len(CHECKS))), np.repeat("Benign", 20))
    least = {check.name: check.least_spread for check in CHECKS}
    for name, spread in least.items():
        assert ask(flat, **{name: spread})[0] == ask(flat, **{name: -spread})[0] == pytest.approx(1)


def test_either_end_has_its_own_distance_from_the_middle():
    skewed = know(np.where(FIELDS < 0, 1, 3)[:101] * FIELDS[:101], LABELS[:101])
    both = [ask(skewed, log_cells=end)[0] for end in (-0.98, 3 * 0.98)]
    assert both == pytest.approx([1, 1])


def test_features_of_a_class_are_held_against_those_of_the_same_class(rng):
    # Features of the first class lie twenty times as close together as those of the second, far away from it.
    features = np.concatenate([rng.normal(0, 1, (300, 8)), rng.normal(100, 20, (300, 8))])
    known = KnownImages(features, np.zeros((600, len(CHECKS))), np.repeat(["Benign", "Pro"], 300))
    new = np.concatenate([rng.normal(0, 1, (500, 8)), rng.normal(100, 20, (500, 8))])
    flagged = known.compare(new, np.zeros((1000, len(CHECKS)))).score > 1
    assert 0 < flagged[:500].mean() < 0.04
    assert 0 < flagged[500:].mean() < 0.04


def test_features_count_by_the_distance_to_the_fifth_nearest_in_standard_deviations():
    # One channel with a standard deviation of 2, and one that never changes.
    features = np.column_stack([[-3.0, -2, -1, 1, 2, 3], np.full(6, 7.0)]) * [2 / np.sqrt(28 / 6), 1]
    step = 1 / np.sqrt(28 / 6)
    known = KnownImages(features, np.zeros((6, len(CHECKS))), np.repeat("Benign", 6))
    asked = np.array([[0.0, 7.0], features[5], [features[5][0], 17.0]])
    found = known.find_nearest(asked, 5)[1][:, -1]
    assert found[:2] == pytest.approx(np.array([3, 5]) * step / np.sqrt(2))
    assert found[2] == pytest.approx(np.hypot(5 * step, 10) / np.sqrt(2))
    # The fifth nearest other one is 4, 5 or 6 steps from each of them.
    usual = np.array([6, 5, 4, 4, 5, 6]) * step / np.sqrt(2)
    end = np.quantile(usual, 0.99)
    compared = known.compare(asked, np.zeros((3, len(CHECKS))))
    assert compared.score[2] == pytest.approx((found[2] - np.median(usual)) / (end - np.median(usual)))
    assert compared.why[2] == "unfamiliar features"
    assert compared.score[0] == 0  # nearer than usual is not out of distribution


@pytest.mark.parametrize("images", [1, 2, 5])
def test_few_training_images_are_enough(images):
    known = know(np.zeros((images, len(CHECKS))), np.repeat("Benign", images), np.eye(images, 3))
    scores = known.compare(np.eye(3), np.zeros((3, len(CHECKS)))).score
    assert np.isfinite(scores).all()
    assert scores[0] <= 1


def test_what_is_usual_is_learned_from_a_part_of_many_training_images(rng, monkeypatch):
    features, none = rng.normal(size=(2500, 4)), np.zeros((2500, len(CHECKS)))
    known = know(none, np.repeat("Benign", 2500), features)
    asked = 3 * rng.normal(size=(50, 4))
    score = known.compare(asked, none[:50]).score
    monkeypatch.setattr(out_of_distribution, "_MOST_COMPARED", 2500)
    exact = know(none, np.repeat("Benign", 2500), features).compare(asked, none[:50]).score
    assert score == pytest.approx(exact, rel=0.25)
    assert not np.array_equal(score, exact)


@pytest.fixture(scope="module")
def drawn():
    """Training, validation and test images of all classes, and features that tell nothing."""
    fields = [
        draw_smear(name, np.random.default_rng([5, n]), 48, magnification=3.0) for n, name in enumerate(CLASSES * 60)
    ]
    splits = np.where(np.arange(240) < 140, "train", np.where(np.arange(240) < 190, "validation", "test"))
    facts = pd.DataFrame({"image_id": range(240), "split": splits, "label": CLASSES * 60})
    pixels = np.stack(fields)
    features = np.random.default_rng(1).normal(size=(240, 3))
    return pixels, feature_table.tabulate(facts, features, check_fields(pixels))


def test_outliers_are_recognised_even_where_features_tell_nothing(drawn, rng):
    pixels, table = drawn
    known = KnownImages.learn(table)
    limit = choose_limit(known.compare_table(table, "validation").score, 0.05)
    test = pixels[(table["split"] == "test").to_numpy()]
    assert (known.compare_table(table, "test").score > limit).mean() <= 0.15
    said = {}
    for kind, change in OUTLIERS.items():
        found = known.compare(rng.normal(size=(50, 3)), check_fields(perturb(test, change, change.levels[0], seed=1)))
        assert (found.score > limit).mean() > 0.95, kind
        said[kind] = set(found.why)
    assert said["blurred"] == {"out of focus"}
    assert said["other_stain"] == {"other colours"}
    assert "hardly any stain" in said["no_cells"]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_DATA" not in os.environ, reason="LEUKOSCOPE_DATA does not name the real smears' folder")
def test_real_smears_of_each_class_are_taken_for_what_they_are_and_outliers_are_not(rng):
    files = {name: sorted(Path(os.environ["LEUKOSCOPE_DATA"]).rglob(f"{name}/*"))[::3][:130] for name in CLASSES}
    labels = np.repeat(CLASSES, 130)
    limits = Limits(16, 10**8, 10**8)
    pixels = np.stack(
        [resize(decode(file.read_bytes(), limits).pixels, 96) for name in CLASSES for file in files[name]]
    )
    splits = np.resize(["train"] * 3 + ["validation", "test"], len(labels))
    facts = pd.DataFrame({"image_id": range(len(labels)), "split": splits, "label": labels})
    table = feature_table.tabulate(facts, rng.normal(size=(len(labels), 3)), check_fields(pixels))
    known = KnownImages.learn(table)
    limit = choose_limit(known.compare_table(table, "validation").score, 0.05)
    flagged = pd.Series(known.compare_table(table, "test").score > limit).groupby(labels[splits == "test"]).mean()
    assert (flagged <= 0.2).all()
    test = pixels[splits == "test"]
    for kind, change in OUTLIERS.items():
        made = perturb(test, change, change.levels[0], seed=1)
        assert (known.compare(rng.normal(size=(len(test), 3)), check_fields(made)).score > limit).mean() > 0.95, kind


def test_pixels_and_a_table_of_them_are_judged_alike(drawn):
    pixels, table = drawn
    known = KnownImages.learn(table)
    rows = np.flatnonzero(table["split"] == "test")
    by_pixels = known.compare(feature_table.select(table, "test"), check_fields(pixels, rows))
    by_table = known.compare_table(table, "test")
    assert by_pixels.score == pytest.approx(by_table.score)
    assert by_pixels.why.tolist() == by_table.why.tolist()


@pytest.mark.parametrize("missing", ["label", "check_log_cells", "check_blue_share"])
def test_a_table_of_an_earlier_version_is_refused(drawn, missing):
    with pytest.raises(InputError, match=f"earlier version, which kept no {missing} of its training images.* again"):
        KnownImages.learn(drawn[1].drop(columns=missing))


@pytest.mark.parametrize(("images", "rank"), [(19, 19), (20, 20), (39, 38), (99, 95), (100, 96), (1000, 951)])
def test_the_limit_is_the_conformal_quantile(images, rank, rng):
    assert choose_limit(rng.permutation(images) + 1.0, 0.05) == rank  # ceil((n + 1) 0.95)


def test_the_limit_is_not_moved_by_floating_point(rng):
    assert np.ceil((249 + 1) * (1 - 0.172)) == 208
    assert choose_limit(rng.permutation(249) + 1.0, 0.172) == 207


@pytest.mark.parametrize(
    ("images", "false_alarms", "enough"), [(18, 0.05, 19), (0, 0.5, 1), (98, 0.01, 99), (2, 0.3, 3)]
)
def test_too_few_images_flag_nothing_and_it_is_told(images, false_alarms, enough, caplog, rng):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        assert choose_limit(rng.random(images), false_alarms) == NO_LIMIT
    assert f"{images} validation images are too few" in caplog.text
    assert f"Give {enough} validation images or more" in caplog.text
    assert choose_limit(rng.random(enough), false_alarms) <= 1


@pytest.mark.parametrize(("images", "false_alarms"), [(19, 0.05), (25, 0.05), (60, 0.1), (200, 0.05), (30, 0.5)])
def test_new_images_are_flagged_as_often_as_stated_and_no_more_on_average(images, false_alarms, rng):
    draws = 20_000
    drawn = rng.lognormal(size=(draws, images + 1))
    limits = np.array([choose_limit(row, false_alarms) for row in drawn[:, :images]])
    rate = (drawn[:, -1] > limits).mean()
    error = 3 * np.sqrt(false_alarms / draws)
    # With n images the rate is floor((n + 1) a) / (n + 1): below a by less than one in n + 1.
    assert false_alarms - 1 / (images + 1) - error < rate < false_alarms + error
    assert rate == pytest.approx(np.floor(round((images + 1) * false_alarms, 9)) / (images + 1), abs=error)


def test_outliers_that_are_missed_are_named():
    outliers = [{"kind": "blurred", "auc": 0.8}, {"kind": "no_cells", "auc": 0.543}, {"kind": "photograph", "auc": 0.0}]
    cells, photographs = describe_missed(outliers, 1.2)
    assert cells == (
        "Fields without cells are not recognised as unlike the training images (AUC 0.54, below 0.8): opinions may be "
        "given on them."
    )
    assert photographs.startswith("Photographs of other things are not recognised")
    assert describe_missed(outliers[:1], 1.2) == []
    (nothing,) = describe_missed([], NO_LIMIT)
    assert nothing.startswith("No field at all is flagged as unlike the training images")
