import numpy as np
import pytest

from leukoscope.evaluation.generated import (
    Discrepancy,
    average,
    find_nearest,
    judge_by_classifier,
    measure_kid,
    measure_memorisation,
)


def test_the_kid_is_that_worked_out_by_hand():
    ours, others = np.array([[0.0, 2.0], [2.0, 0.0]]), np.array([[2.0, 2.0], [0.0, 0.0]])
    # (x y / 2 + 1)^3: within ours 1 and 1, within others 1 and 1; across (2 + 1)^3, 1, (2 + 1)^3, 1, on average 14
    kid = measure_kid(ours, others)
    assert kid.value == 1 + 1 - 2 * 14
    assert np.isnan(kid.error)


def test_the_kid_leaves_no_image_out_and_compares_none_with_itself(rng):
    ours, others = rng.normal(0, 1, (7, 3)), rng.normal(0.5, 1, (5, 3))

    def kernel(one, other):
        return (one @ other / 3 + 1) ** 3

    within_ours = np.mean([kernel(ours[i], ours[j]) for i in range(7) for j in range(7) if i != j])
    within_others = np.mean([kernel(others[i], others[j]) for i in range(5) for j in range(5) if i != j])
    across = np.mean([kernel(one, other) for one in ours for other in others])
    assert measure_kid(ours, others).value == pytest.approx(within_ours + within_others - 2 * across)


def test_the_kid_of_one_distribution_is_about_zero_and_of_two_it_is_not(rng):
    values = [measure_kid(*rng.normal(0, 1, (2, 60, 8)), seed=seed) for seed in range(60)]
    mean, spread = np.mean([kid.value for kid in values]), np.std([kid.value for kid in values])
    assert abs(mean) < 3 * spread / np.sqrt(60)
    assert 0.5 * spread < np.median([kid.error for kid in values]) < 5 * spread
    other = measure_kid(rng.normal(0, 1, (60, 8)), rng.normal(1, 1, (60, 8)))
    assert other.value > 5 * other.error


def test_classes_are_averaged_with_their_errors():
    assert average([Discrepancy(1.0, 0.3), Discrepancy(3.0, 0.4)]) == Discrepancy(2.0, pytest.approx(0.25))


def test_the_nearest_is_found_and_a_copy_is_at_no_distance(rng):
    training = rng.integers(0, 256, (20, 4, 4, 3)).astype(np.uint8)
    copy, other = training[7], np.full((4, 4, 3), 255, np.uint8)
    distances = find_nearest(np.stack([copy, other]), training)
    assert distances[0] == 0
    expected = np.sqrt(((training.astype(float) - 255) ** 2).sum(axis=(1, 2, 3)).min())
    assert distances[1] == pytest.approx(expected, rel=1e-5)


def test_copies_are_memorised_and_what_is_like_held_out_images_is_not(rng):
    training, held, drawn = rng.normal(0, 1, (3, 300, 5))
    to_training = find_nearest(held, training)
    assert measure_memorisation(find_nearest(drawn, training), to_training) == pytest.approx(0.05, abs=0.04)
    half = np.concatenate([drawn[:150], training[:150]])
    assert measure_memorisation(find_nearest(half, training), to_training) == pytest.approx(0.525, abs=0.03)
    assert measure_memorisation(find_nearest(training, training), to_training) == 1


def test_a_classifier_of_generated_images_is_judged_on_real_ones(rng):
    classes = np.arange(120) % 3
    real = np.eye(3)[classes] * 4 + rng.normal(0, 1, (120, 3))
    alike = np.eye(3)[classes] * 4 + rng.normal(0, 1, (120, 3))
    confused = np.eye(3)[(classes + 1) % 3] * 4 + rng.normal(0, 1, (120, 3))
    assert judge_by_classifier(alike, classes, real, classes) > 0.9
    assert judge_by_classifier(confused, classes, real, classes) < 0.1
