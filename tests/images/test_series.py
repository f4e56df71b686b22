import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.images import series


def make(ids, label="a", group=None) -> pd.DataFrame:
    labels = [label] * len(ids)
    return pd.DataFrame({"image_id": ids, "label": labels, "group": group or ids})


def read(*ids) -> list[tuple[str, int]]:
    files = series.number_files(make(list(ids)))
    return list(zip(files["series"], files["number"], strict=True))


@pytest.mark.parametrize(
    ("ids", "read_as"),
    [
        (["Pre/WBC-Pre-001", "Pre/WBC-Pre-017"], [("Pre/WBC-Pre-", 1), ("Pre/WBC-Pre-", 17)]),
        (["Pre/7", "Pre/12"], [("Pre/", 7), ("Pre/", 12)]),
        (["Pre/scan-2-0001", "Pre/scan-10-0002"], [("Pre/scan-2-", 1), ("Pre/scan-10-", 2)]),
        (["Pre/day1/3", "Pre/day2/3"], [("Pre/day1/", 3), ("Pre/day2/", 3)]),
        # What all names share is a size or a magnification.
        (["Pre/12_224x224", "Pre/13_224x224"], [("Pre/", 12), ("Pre/", 13)]),
        (["Pre/0012", "Pre/0013", "Pre/0012 (2)"], [("Pre/", 12), ("Pre/", 13), ("Pre/0012 (", 2)]),
        (["Pre/12a", "Pre/12b"], [("Pre/", 12), ("Pre/", 12)]),
        # Digits of a folder are no number, nor are those of a hash.
        (["Pre/day1/field", "Pre/day2/field"], [("Pre/day1/field", -1), ("Pre/day2/field", -1)]),
        (["Pre/" + "1" * 40], [("Pre/" + "1" * 40, -1)]),
        (["Pre/alone-5"], [("Pre/alone-", 5)]),
    ],
)
def test_numbers_are_read_from_names(ids, read_as):
    assert read(*ids) == read_as


def lack_of(ids, blocks=5) -> str | None:
    return series.explain_lack(series.number_files(make(ids)), blocks)


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([f"a/{n:02d}" for n in range(20)], None),
        ([f"a/{n:02d}" for n in range(19)] + ["a/overview"], None),
        ([f"a/field-{chr(97 + n)}" for n in range(20)], "20 of 20 file names of class a have no number"),
        ([f"a/{n:02d}" for n in range(10)] + [f"a/{chr(97 + n)}" for n in range(10)], "10 of 20 file names"),
        ([f"a/{n:02d}_{size}x" for n in range(20) for size in (40, 100)], "start anew 20 times among 40 images"),
        (
            [f"a/{n}{letter}" for n in range(4) for letter in "abcde"],
            "class a has 4 different file numbers, too few",
        ),
    ],
)
def test_names_that_do_not_order_the_images_are_explained(ids, reason):
    lack = lack_of(ids)
    assert lack is None if reason is None else reason in lack


def test_blocks_are_contiguous_and_of_a_size_however_the_images_are_sorted(rng):
    numbers = rng.permutation(np.r_[1:160, 262:505])  # a hundred numbers are missing
    files = series.number_files(make([f"a/{n:03d}" for n in numbers]))
    blocks = series.cut_blocks(files, 5)
    ends = files["number"].groupby(blocks).agg(["min", "max", "size"])
    assert (ends["max"].to_numpy()[:-1] < ends["min"].to_numpy()[1:]).all()
    assert ends["size"].tolist() == [81, 80, 81, 80, 80]


def test_a_shift_moves_inner_boundaries_only():
    files = series.number_files(make([f"a/{n:03d}" for n in range(100)]))
    sizes = series.cut_blocks(files, 5, shift=0.25).value_counts().sort_index()
    assert sizes.tolist() == [25, 20, 20, 20, 15]


def test_a_number_is_never_divided_and_images_without_one_are_in_no_block():
    ids = [f"a/{n:02d}{letter}" for n in range(21) for letter in "abc"] + ["a/overview"]
    files = series.number_files(make(ids))
    blocks = series.cut_blocks(files, 2)
    assert (blocks.groupby(files["number"]).nunique() == 1).all()
    assert blocks.iloc[-1] == -1


def test_an_embargo_is_in_file_numbers_not_in_files():
    files = series.number_files(make(["a/1", "a/2", "a/10", "a/11", "a/12", "a/20"]))
    chosen = pd.Series([False, False, False, True, True, False])
    near = [series.find_near(files, chosen, embargo).to_numpy().nonzero()[0].tolist() for embargo in (0, 1, 8, 9)]
    assert near == [[], [2], [2, 5], [1, 2, 5]]


def test_numbers_of_another_folder_or_class_are_not_near():
    ids = ["a/x/1", "a/x/2", "a/y/1", "a/y/2", "b/x/1", "b/x/2"]
    files = series.number_files(pd.DataFrame({"image_id": ids, "label": list("aaaabb")}))
    near = series.find_near(files, pd.Series([True, *[False] * 5]), 5)
    assert near.tolist() == [False, True, False, False, False, False]


def divide(images, embargo=3, test=0.15, validation=0.15 / 0.85, seed=1, validation_embargo=None):
    files = series.number_files(images)
    return files, series.divide_by_series(images, files, test, validation, embargo, validation_embargo, seed)


@pytest.fixture
def images() -> pd.DataFrame:
    """A hundred numbers of each of two classes."""
    ids = [f"{label}/{n:03d}" for label in "ab" for n in range(100)]
    return pd.DataFrame({"image_id": ids, "label": [name[0] for name in ids], "group": ids})


@pytest.mark.parametrize("seed", range(8))
def test_test_and_validation_are_one_run_each_and_others_keep_their_distance(images, seed):
    files, split = divide(images, seed=seed)
    for label in "ab":
        numbers = {name: files["number"][(split == name) & (files["label"] == label)] for name in set(split.dropna())}
        assert len(numbers["test"]) == 15
        assert len(numbers["train"]) > 55
        for name in ("validation", "test"):
            assert np.ptp(numbers[name]) == len(numbers[name]) - 1
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            assert np.abs(numbers[one].to_numpy()[:, None] - numbers[other].to_numpy()).min() == 4
    assert len(split[split.isna()]) in range(2 * 9, 2 * 13)


def test_the_seed_decides_where_the_test_blocks_are(images):
    _, first = divide(images, seed=1)
    assert first.equals(divide(images, seed=1)[1])
    assert not first.equals(divide(images, seed=2)[1])


def test_folds_test_every_numbered_image_once_whatever_the_seed(images):
    tested = [divide(images, test=(fold, 4), seed=fold)[1] == "test" for fold in (1, 2, 3, 4)]
    assert (sum(one.astype(int) for one in tested) == 1).all()
    assert tested[1].to_numpy().nonzero()[0].tolist() == [*range(25, 50), *range(125, 150)]


def test_what_is_left_validates_in_its_share(images):
    _, split = divide(images, embargo=0, test=(1, 4), validation=0.4)
    assert split.value_counts().to_dict() == {"train": 90, "validation": 60, "test": 50}


def test_validation_may_be_nearer_to_training_than_the_test_images_are(images):
    with pytest.raises(InputError, match=r"no image left for train.*or validation_embargo"):
        divide(images, embargo=40, test=(2, 5))
    files, split = divide(images, embargo=40, test=(2, 5), validation_embargo=0)
    number = files["number"].to_numpy()
    for label in "ab":
        train, validation, test = (
            number[(split == name) & (files["label"] == label)] for name in ("train", "validation", "test")
        )
        assert np.abs(train[:, None] - validation).min() == 1
        assert np.abs(np.concatenate([train, validation])[:, None] - test).min() == 41


def test_a_copy_of_a_test_or_validation_image_does_not_train(images):
    files, split = divide(images, embargo=0, test=(1, 4))
    trains, tests, validates = (images.index[split == name] for name in ("train", "test", "validation"))
    copies = {trains[-1]: tests[0], trains[-2]: validates[0], validates[1]: tests[1]}
    images.loc[list(copies), "group"] = images.loc[list(copies.values()), "group"].to_numpy()
    again = series.divide_by_series(images, files, (1, 4), 0.15 / 0.85, 0, None, 1)
    assert again[[trains[-1], validates[1]]].isna().all()
    assert (again[tests] == "test").all()
    assert (again.groupby(images["group"]).nunique() <= 1).all()


@pytest.mark.parametrize(
    ("ids", "embargo", "message"),
    [
        ([f"a/{chr(97 + n)}" for n in range(20)], 3, "have no number. Expected file names that end in the number"),
        ([f"a/{n:02d}" for n in range(20)], 30, "With splitting.embargo at 30 class a has no image left for train"),
        (["a/1", "a/2", "a/2b", "a/3", "a/4"], 0, "class a has 4 different file numbers, too few for 5 blocks"),
    ],
)
def test_what_cannot_be_divided_is_an_input_error(ids, embargo, message):
    with pytest.raises(InputError, match=message):
        divide(make(ids), embargo=embargo, test=(1, 5))


def test_groups_are_runs_of_numbers_within_a_split_and_copies():
    ids = [f"a/{n:02d}" for n in range(12)]
    images = make(ids).assign(split=["train"] * 6 + ["test"] * 6)
    images.loc[[0, 5], "group"] = "copies"
    groups = series.group_runs(images, series.number_files(images), 1)
    assert groups.map(groups.drop_duplicates().tolist().index).tolist() == [0, 0, 1, 1, 0, 0, 2, 2, 3, 3, 4, 4]
