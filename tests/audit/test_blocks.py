from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leukoscope.audit.blocks import repeat_folds
from leukoscope.audit.ladder import Ladder
from leukoscope.evaluation.intervals import estimate_share
from leukoscope.images.series import number_files

LADDER = Ladder(("a", "b"), folds=5, trees=30, confidence=0.95, seed=1, repeats=2)


@pytest.fixture
def images() -> pd.DataFrame:
    """Two hundred numbers of each of two classes, with gaps."""
    ids = [f"{label}/{n:03d}" for label in "ab" for n in range(1, 241) if n % 6]
    return pd.DataFrame({"image_id": ids, "label": [name[0] for name in ids], "group": ids})


def divide(images, embargo, repeats=3):
    return repeat_folds(images, number_files(images), 5, repeats, embargo, seed=1)


def test_neighbours_of_the_test_block_do_not_train_and_all_others_do(images):
    numbers = number_files(images)["number"].to_numpy()
    labels = images["label"].to_numpy()
    for folds in divide(images, 12)[0]:
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(images)))
        for train, test in folds:
            for label in "ab":
                tested = numbers[test[labels[test] == label]]
                far = (numbers < tested.min() - 12) | (numbers > tested.max() + 12)
                assert train[labels[train] == label].tolist() == np.flatnonzero(far & (labels == label)).tolist()


def test_the_control_has_as_many_of_each_class_and_neighbours_among_them(images):
    numbers = number_files(images)["number"].to_numpy()
    labels = images["label"].to_numpy()
    near = 0
    for strict, control in zip(*divide(images, 30), strict=True):
        for (train, test), (drawn, same) in zip(strict, control, strict=True):
            assert (test == same).all()
            assert len(set(drawn) & set(test)) == 0
            assert len(set(drawn)) == len(drawn)
            assert pd.Series(labels[train]).value_counts().equals(pd.Series(labels[drawn]).value_counts())
            for label in "ab":
                tested = numbers[test[labels[test] == label]]
                own = numbers[drawn[labels[drawn] == label]]
                near += ((own >= tested.min() - 30) & (own <= tested.max() + 30)).sum()
    assert near > 100


def test_copies_of_a_test_image_train_neither_with_an_embargo_nor_in_the_control(images):
    images.loc[[0, 199], "group"] = "copies"
    for part in divide(images, 1):
        for folds in part:
            for train, test in folds:
                assert not set(images.loc[test, "group"]) & set(images.loc[train, "group"])


def test_repeats_move_the_boundaries_and_pair_other_blocks(images):
    tests = [{frozenset(test) for _, test in folds} for folds in divide(images, 0)[0]]
    of_a = [{frozenset(test & set(range(200))) for test in repeat} for repeat in tests]
    assert len({frozenset(repeat) for repeat in of_a}) == 3
    assert divide(images, 0)[0][0][0][1].tolist() == divide(images, 20)[0][0][0][1].tolist()


def test_an_embargo_that_takes_a_class_out_of_training_is_not_judged(images, caplog):
    assert divide(images, 150) is None
    table = LADDER.climb_series(images, {"border": np.zeros((len(images), 1))}, [0, 150])
    assert table["embargo"].tolist() == [0]
    assert "series, embargo 150: not judged, a class would not be in every fold" in caplog.text


@pytest.mark.slow
def test_what_drifts_along_the_numbers_falls_with_the_embargo_and_not_with_fewer_images(images, rng):
    numbers = number_files(images)["number"].to_numpy()
    walks = {label: np.cumsum(rng.normal(0, 1, (241, 6)), axis=0) for label in "ab"}
    walk = np.array([walks[label][number] for label, number in zip(images["label"], numbers, strict=True)])
    table = replace(LADDER, folds=10).climb_series(images, {"border": walk}, [0, 50])
    accuracy = table.set_index(["protocol", "embargo"])["accuracy"]
    assert accuracy["series", 0] > accuracy["series", 50] + 0.15
    assert accuracy["series_control", 50] > accuracy["series", 50] + 0.15
    training = table.set_index(["protocol", "embargo"])["training_images"]
    assert training["series", 50] == training["series_control", 50] < training["series", 0]


def test_intervals_are_by_the_blocks_of_each_class(images):
    table = LADDER.climb_series(images, {"border": np.zeros((len(images), 1))}, [3])
    assert table["groups"].tolist() == [10, 10]
    by_image = estimate_share(np.arange(len(images)) < table["accuracy"][0] * len(images), images["image_id"], 0.95)
    assert table["high"][0] - table["low"][0] > 1.5 * (by_image.high - by_image.low)


def test_images_without_a_number_take_no_part(images):
    extra = pd.DataFrame({"image_id": ["a/overview"], "label": ["a"], "group": ["a/overview"]})
    more = pd.concat([images.iloc[:7], extra, images.iloc[7:]], ignore_index=True)
    features = (more["label"] == "a").to_numpy()[:, None].astype(float)
    features[7] = np.nan  # would be refused
    table = LADDER.climb_series(more, {"border": features, "hue_band": features}, [3])
    assert (table["images"] == len(images)).all()
    assert (table["accuracy"] == 1).all()


def test_names_without_numbers_are_told(images, caplog):
    nameless = images.assign(image_id=images["image_id"].str.replace(r"\d", "x", regex=True))
    assert LADDER.climb_series(nameless, {"border": np.zeros((len(images), 1))}, [0, 37]).empty
    assert "series: not judged, since 200 of 200 file names of class a have no number" in caplog.text
