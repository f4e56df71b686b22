from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict

from leukoscope.audit.ladder import Ladder

LADDER = Ladder(("a", "b"), folds=5, trees=30, confidence=0.95, seed=1)


@pytest.fixture
def images() -> pd.DataFrame:
    """Two classes, in appearance clusters of ten images each of which is of one class."""
    clusters = np.repeat(np.arange(20), 10)
    return pd.DataFrame({"label": np.where(clusters % 2, "a", "b"), "appearance": clusters}).astype(str)


def test_what_knows_clusters_fails_when_they_are_held_out(images, rng):
    sees_cluster = rng.normal(images["appearance"].astype(int).to_numpy()[:, None], 0.01, (200, 1))
    protocols = {"image": pd.Series(np.arange(200)), "appearance": images["appearance"]}
    table = LADDER.climb(images, {"colour_histogram": sees_cluster}, protocols).set_index("protocol")
    assert table.loc["image", "accuracy"] > 0.95
    assert table.loc["appearance", "accuracy"] < 0.7
    assert table["groups"].to_dict() == {"image": 200, "appearance": 20}
    assert (table["images"] == 200).all()
    assert table["accuracy"].between(table["low"], table["high"]).all()


def test_features_of_a_network_are_read_by_logistic_regression(images, rng):
    separable = (images["label"] == "a").to_numpy()[:, None] + rng.normal(0, 0.1, (200, 3))
    table = LADDER.climb(images, {"vgg16_features": separable}, {"appearance": images["appearance"]})
    assert table["accuracy"].tolist() == [1.0]


def test_a_protocol_with_too_few_groups_is_left_out_and_told(images, caplog):
    groups = images["appearance"].where(images["label"] == "a", "one")
    protocols = {"image": pd.Series(np.arange(200)), "appearance": groups}
    table = LADDER.climb(images, {"border": np.zeros((200, 1))}, protocols)
    assert table["protocol"].tolist() == ["image"]
    assert "appearance, border: not judged, a class has 1 group, too few for 5 folds" in caplog.text


def test_a_class_without_images_is_not_left_out_in_silence(images, caplog):
    left = images[images["label"] == "a"].reset_index(drop=True)
    left.loc[:40, "label"] = "c"
    ladder = replace(LADDER, classes=("a", "b", "c"))
    table = ladder.climb(left, {"vgg16_features": np.zeros((100, 3))}, {"appearance": left["appearance"]})
    assert table.empty
    assert "appearance, vgg16_features: not judged, a class has 0 groups" in caplog.text


def test_no_images_are_no_fault(images):
    nothing = images.iloc[:0]
    assert LADDER.climb(nothing, {"vgg16_features": np.zeros((0, 3))}, {"appearance": nothing["appearance"]}).empty


def test_figures_are_means_over_repeats(images, rng):
    noisy = (images["label"] == "a").to_numpy()[:, None] + rng.normal(0, 0.7, (200, 3))
    protocols = {"image": pd.Series(np.arange(200))}
    once = [replace(LADDER, seed=seed).climb(images, {"vgg16_features": noisy}, protocols) for seed in (1, 2, 3)]
    accuracies = [table["accuracy"].item() for table in once]
    repeated = replace(LADDER, repeats=3).climb(images, {"vgg16_features": noisy}, protocols)
    assert repeated["accuracy"].item() == pytest.approx(np.mean(accuracies))
    assert repeated["spread"].item() == pytest.approx(np.ptp(accuracies))
    assert repeated["spread"].item() > 0
    assert once[0]["spread"].isna().all()


def test_the_interval_of_repeats_is_no_narrower_for_their_number(images, rng):
    """Groups are drawn once for all repeats: five times the same images are no more images."""
    noisy = (images["label"] == "a").to_numpy()[:, None] + rng.normal(0, 0.7, (200, 3))
    protocols = {"image": pd.Series(np.arange(200))}
    widths = []
    for repeats in (1, 8):
        table = replace(LADDER, repeats=repeats).climb(images, {"vgg16_features": noisy}, protocols)
        widths.append((table["high"] - table["low"]).item())
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_the_balanced_accuracy_counts_each_class_the_same(rng):
    images = pd.DataFrame({"label": ["a"] * 80 + ["b"] * 20})
    table = LADDER.climb(images, {"border": np.zeros((100, 1))}, {"image": pd.Series(np.arange(100))})
    assert table["accuracy"].item() == pytest.approx(0.8)
    assert table["balanced_accuracy"].item() == pytest.approx(0.5)


def test_one_number_is_read_by_a_small_tree(rng):
    """A forest would learn the number of each image by heart, and be wrong wherever its neighbour was flipped."""
    number = rng.uniform(0, 1, (400, 1))
    flipped = rng.uniform(0, 1, 400) < 0.3
    images = pd.DataFrame({"label": np.where((number[:, 0] > 0.5) ^ flipped, "a", "b")})
    table = LADDER.climb(images, dict.fromkeys(("hue_band", "file"), number), {"image": pd.Series(np.arange(400))})
    accuracy = table.set_index("predictor")["accuracy"]
    assert accuracy["hue_band"] == pytest.approx(1 - flipped.mean(), abs=0.03)
    assert accuracy["file"] < accuracy["hue_band"] - 0.05


def test_what_two_protocols_divide_alike_is_learned_once(images, rng, monkeypatch):
    asked = []

    def predict(*arguments, **options):
        asked.append(arguments[1].shape)
        return cross_val_predict(*arguments, **options)

    monkeypatch.setattr("sklearn.model_selection.cross_val_predict", predict)
    numbers = pd.Series(np.arange(200))
    protocols = {"image": numbers, "duplicate": numbers + 1000, "appearance": images["appearance"]}
    noisy = (images["label"] == "a").to_numpy()[:, None] + rng.normal(0, 0.7, (200, 2))
    seen = {"border": noisy, "corner": noisy}
    table = replace(LADDER, trees=3).climb(images, seen, protocols).set_index(["protocol", "predictor"])
    assert len(asked) == len(seen) * 2
    fresh = replace(LADDER, trees=3).climb(images, {"corner": noisy}, {"duplicate": protocols["duplicate"]})
    assert table.loc[("duplicate", "corner"), "accuracy"] == fresh["accuracy"].item()
