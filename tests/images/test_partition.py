import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.images.partition import partition_groups

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}


@pytest.fixture
def images(rng) -> pd.DataFrame:
    """1,000 images of four unequal classes, some in groups of up to five."""
    labels = rng.choice(["Benign", "Early", "Pre", "Pro"], 1000, p=[0.1, 0.3, 0.3, 0.3])
    groups = [f"{label}-{rng.integers(0, 400)}" for label in labels]
    return pd.DataFrame({"label": labels, "group": groups})


def test_no_group_is_in_two_parts(images):
    parts = partition_groups(images, SHARES, seed=1)
    assert (parts.groupby(images["group"]).nunique() == 1).all()


def test_every_class_has_its_shares(images):
    parts = partition_groups(images, SHARES, seed=1)
    shares = pd.crosstab(images["label"], parts, normalize="index")
    for name, share in SHARES.items():
        assert shares[name].to_numpy() == pytest.approx(np.full(4, share), abs=0.03)


def test_single_images_are_divided_to_within_one_image():
    images = pd.DataFrame({"label": ["a"] * 200 + ["b"] * 60, "group": range(260)})
    table = pd.crosstab(images["label"], partition_groups(images, SHARES, seed=3))
    assert (table.loc["a"] - pd.Series({"train": 140, "validation": 30, "test": 30})).abs().max() <= 1
    assert (table.loc["b"] - pd.Series({"train": 42, "validation": 9, "test": 9})).abs().max() <= 1


def test_large_groups_go_to_every_part_as_often_as_small_ones():
    images = pd.DataFrame({"label": "a", "group": list(np.repeat(range(200), 2)) + list(range(200, 1000))})
    parts = partition_groups(images, SHARES, seed=5)
    in_pairs = parts[:400].value_counts(normalize=True)
    assert in_pairs["train"] == pytest.approx(0.7, abs=0.1)
    assert in_pairs["test"] == pytest.approx(0.15, abs=0.08)


@pytest.mark.parametrize("groups", [3, 4, 5, 8])
def test_every_part_has_every_class_however_few_groups_there_are(groups):
    images = pd.DataFrame({"label": np.repeat(list("abcd"), groups), "group": range(4 * groups)})
    for seed in range(30):
        table = pd.crosstab(images["label"], partition_groups(images, SHARES, seed))
        assert table.shape == (4, 3)
        assert (table > 0).all(axis=None)


def test_patients_of_several_classes_are_placed_whole(rng):
    images = pd.DataFrame({"group": rng.integers(0, 30, 600)})
    images["label"] = np.where(
        images["group"] < 5, rng.choice(list("ab"), 600), np.where(images["group"] < 17, "a", "b")
    )
    for seed in range(20):
        parts = partition_groups(images, SHARES, seed)
        assert (parts.groupby(images["group"]).nunique() == 1).all()
        assert (pd.crosstab(images["label"], parts) > 0).all(axis=None)


def test_the_seed_decides(images):
    first, same, other = (partition_groups(images, SHARES, seed) for seed in (1, 1, 2))
    assert first.equals(same)
    assert not first.equals(other)


def test_a_class_with_fewer_groups_than_parts_is_named():
    images = pd.DataFrame({"label": ["a"] * 9 + ["b"] * 9, "group": [*range(9), *[20, 21] * 4, 20]})
    with pytest.raises(InputError, match=r"Class b has 2 group\(s\).*3 parts"):
        partition_groups(images, SHARES, seed=0)


def test_of_many_parts_that_cannot_be_filled_only_some_are_named():
    images = pd.DataFrame({"label": "a", "group": range(9)})
    with pytest.raises(InputError, match=r"9 group\(s\) of images, too few for 500 parts \(0, 1, .*\.\.\.\)") as caught:
        partition_groups(images, {str(part): 1 / 500 for part in range(500)}, seed=1)
    assert len(str(caught.value)) < 300
