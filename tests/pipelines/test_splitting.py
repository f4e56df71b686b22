import pandas as pd
import pytest
from pydantic import ValidationError

from leukoscope.core.errors import InputError
from leukoscope.pipelines.splitting.nodes import assign_splits, group_images, report_splits
from leukoscope.pipelines.splitting.options import SplittingOptions


@pytest.fixture
def manifest(class_names) -> pd.DataFrame:
    """Thirty images a class; the last two of each are copies of one another, and one more is quarantined."""
    rows = [
        {"image_id": f"{name}/{n}", "label": name, "group": f"{name}/{min(n, 28)}", "sha256": f"{name}{min(n, 28)}"}
        for name in class_names
        for n in range(30)
    ]
    manifest = pd.DataFrame(rows).assign(status="accepted")
    broken = {"image_id": "Pre/broken", "label": "Pre", "group": "Pre/broken", "status": "quarantined"}
    return pd.concat([manifest, pd.DataFrame([broken])], ignore_index=True)


def split(manifest, **options):
    chosen = SplittingOptions(**options)
    images = group_images(manifest, None, smears=None, options=chosen, seed=1)
    return images, assign_splits(images, chosen, seed=1), chosen


def test_every_accepted_image_is_in_one_split(manifest):
    _, splits, _ = split(manifest)
    assert splits["image_id"].is_unique
    assert set(splits["image_id"]) == set(manifest.loc[manifest["status"] == "accepted", "image_id"])
    assert splits["split"].value_counts()["train"] == pytest.approx(0.7 * 120, abs=4)


def test_the_folds_test_every_image_once(manifest):
    tested = [
        name
        for fold in ("1 of 3", "2 of 3", "3 of 3")
        for name in split(manifest, fold=fold)[1].query("split == 'test'")["image_id"]
    ]
    assert sorted(tested) == sorted(manifest.loc[manifest["status"] == "accepted", "image_id"])


def test_a_fold_divides_what_it_does_not_test_by_the_shares_of_train_and_validation(manifest):
    _, splits, _ = split(manifest, fold="1 of 5", train=0.6, validation=0.3, test=0.1)
    assert splits["split"].value_counts().to_dict() == {"train": 64, "validation": 32, "test": 24}


def test_runs_of_file_numbers_are_kept_apart_by_the_embargo(manifest, class_names):
    images, splits, options = split(manifest, group_by="series", embargo=2, fold="2 of 3")
    assert sorted(splits.query("split == 'test'")["image_id"]) == sorted(
        f"{name}/{number}" for name in class_names for number in range(10, 20)
    )
    numbers = splits["image_id"].str.split("/").str[1].astype(int)
    assert set(numbers[splits["split"] == "train"]).isdisjoint({8, 9, 20, 21})
    report = report_splits(images, splits, class_names, options).set_index("label")
    assert report["left_out"].to_dict() == {"Benign": 6, "Early": 6, "Pre": 6, "Pro": 6, "total": 24}
    assert (report.loc[class_names, ["train", "validation", "test", "left_out"]].sum(axis=1) == 30).all()
    assert "embargo: 2 file numbers" in report.loc["total", "grouping_unit"]
    assert (report[["straddling_groups", "straddling_hashes"]] == 0).all(axis=None)
    # Ten tested numbers of a class are four runs of three.
    assert report.loc["Pre", "test_groups"] == 4


def test_without_a_fold_a_run_of_each_class_is_tested(manifest):
    _, splits, _ = split(manifest, group_by="series", embargo=1)
    tested = splits[splits["split"] == "test"]
    numbers = tested["image_id"].str.split("/").str[1].astype(int).groupby(tested["label"])
    assert (numbers.size().between(4, 5)).all()
    assert (numbers.max() - numbers.min() == numbers.size() - 1).all()


def test_file_numbers_that_are_not_there_are_asked_for(manifest):
    nameless = manifest.assign(image_id=manifest["image_id"].str.replace(r"\d+", lambda m: "x" * int(m[0]), regex=True))
    with pytest.raises(InputError, match="Expected file names that end in the number of the capture"):
        split(nameless, group_by="series")


def test_a_table_of_patients_is_kept_together(manifest):
    options = SplittingOptions(group_by="table")
    patients = manifest[["image_id"]].assign(group=[f"p{n % 20}" for n in range(len(manifest))])
    images = group_images(manifest, patients, smears=None, options=options, seed=1)
    splits = assign_splits(images, options, seed=1)
    patient = splits["image_id"].map(patients.set_index("image_id")["group"])
    assert (splits.groupby(patient)["split"].nunique() == 1).all()


def test_appearance_clusters_are_kept_together(splits, smears, class_names):
    # A class of one brightness, so that each cluster is of one class.
    manifest = splits.assign(group=splits["image_id"], sha256=splits["image_id"], status="accepted")
    options = SplittingOptions(group_by="appearance", appearance_clusters=16)
    images = group_images(manifest, None, smears, options, seed=1)
    assigned = assign_splits(images, options, seed=1)
    report = report_splits(images, assigned, class_names, options)
    assert images["group"].nunique() == 16
    assert (assigned.groupby("group")["split"].nunique() == 1).all()
    assert report["grouping_unit"].str.contains("the appearance cluster, fields of nearly the same colours").all()


def test_a_missing_table_is_asked_for(manifest):
    with pytest.raises(InputError, match="group_table=PATH"):
        group_images(manifest, None, smears=None, options=SplittingOptions(group_by="table"), seed=1)


def test_a_table_that_would_not_be_used_is_pointed_out(manifest):
    with pytest.raises(InputError, match="would not be used"):
        group_images(manifest, pd.DataFrame({"image_id": [], "group": []}), None, SplittingOptions(), seed=1)


def test_the_report_counts_and_says_the_unit(manifest, class_names):
    images, splits, options = split(manifest)
    report = report_splits(images, splits, class_names, options).set_index("label")
    assert report.loc["total", ["train", "validation", "test"]].sum() == 120
    assert report.loc["Pre", "train_groups"] <= report.loc["Pre", "train"]
    assert (report["straddling_groups"] == 0).all()
    assert (report["left_out"] == 0).all()
    assert "patients are not taken into account" in report.loc["total", "grouping_unit"]


def test_the_report_counts_groups_of_several_classes_once(manifest, class_names):
    images, splits, options = split(manifest)
    splits.loc[splits["split"] == "test", "group"] = "one"
    report = report_splits(images, splits, class_names, options).set_index("label")
    assert report.loc["total", "test_groups"] == 1
    assert report.loc["Pre", "test_groups"] == 1


def test_splits_with_a_straddling_hash_are_refused(manifest):
    images, _, options = split(manifest)
    straddling = images.assign(group=images["image_id"], sha256=images["label"])
    with pytest.raises(RuntimeError, match="4 of sha256 are in two splits"):
        assign_splits(straddling, options, seed=1)


def test_the_report_counts_what_straddles(manifest, class_names):
    images, splits, options = split(manifest)
    copies = splits["image_id"].isin(["Pro/28", "Pro/29"])
    splits.loc[copies, "group"] = ["one", "other"]
    splits.loc[copies, "split"] = ["train", "test"]
    report = report_splits(images, splits, class_names, options)
    assert (report["straddling_hashes"] == 1).all()
    assert (report["straddling_groups"] == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 0.8}, "add up to 1.1"),
        ({"fold": "6 of 5"}, "i of k"),
        ({"fold": "1/5"}, "i of k"),
        ({"folds": 5}, "did you mean 'fold'"),
        ({"embargo": 10}, "group_by 'duplicate', so that the embargo would not be used"),
        ({"validation_embargo": 0}, "group_by 'duplicate', so that it would not be used"),
        ({"embargo": -1, "group_by": "series"}, "greater than or equal to 0"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        SplittingOptions(**options)


def test_a_validation_nearer_to_training_than_the_tests_is_told(manifest, caplog):
    split(manifest, group_by="series", embargo=2, fold="2 of 3")
    assert "too sure" not in caplog.text
    split(manifest, group_by="series", embargo=2, fold="2 of 3", validation_embargo=0)
    assert "may be 1 file numbers away from training images, and test images are more than 2" in caplog.text


def test_a_validation_embargo_that_is_the_embargo_is_no_other_splitting():
    facts = SplittingOptions(group_by="series", embargo=5).facts
    assert SplittingOptions(group_by="series", embargo=5, validation_embargo=5).facts == facts
    assert SplittingOptions(group_by="series", embargo=5, validation_embargo=0).facts != facts
