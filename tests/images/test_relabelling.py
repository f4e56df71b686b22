"""Labels of a user's table in place of those of the folders."""

import re
from pathlib import Path

import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.datasets import LabelReviewsDataset
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.images.relabelling import relabel
from leukoscope.images.user_tables import LABELS, read_table

CLASSES = ["Benign", "Early", "Pre", "Pro"]


@pytest.fixture
def records() -> pd.DataFrame:
    """Three images of each class, and a fourth of Pro, which is identical to the first Benign one."""
    ids = [f"{label}/{number}" for label in CLASSES for number in range(3)] + ["Pro/only"]
    return pd.DataFrame(
        {
            "image_id": ids,
            "path": [f"Original/{name}.png" for name in ids],
            "label": [name.split("/")[0] for name in ids],
            "sha256": [f"{number % 12:064x}" for number in range(len(ids))],
            "status": "accepted",
            "reason": None,
        }
    )


def read(text: str) -> pd.DataFrame:
    return read_table(text.encode(), "labels.csv", LABELS)


@pytest.mark.parametrize("key", ["image_id,label\nBenign/0", "path,label\nOriginal/Benign/0.png"])
def test_an_image_may_be_named_in_many_ways(records, key):
    told = relabel(records, read(f"{key},Pro\n"), CLASSES).set_index("image_id")
    assert told.loc["Benign/0", ["label", "folder_label"]].tolist() == ["Pro", "Benign"]
    assert told["folder_label"].notna().sum() == 1


@pytest.mark.parametrize("name", ["only", "only.png"])
def test_a_file_name_will_do_where_it_is_the_only_one(records, name):
    told = relabel(records, read(f"file_name;label\n{name};Early\n"), CLASSES).set_index("image_id")
    assert told.loc["Pro/only", "label"] == "Early"


def test_identical_files_get_the_label_of_their_content(records):
    told = relabel(records, read(f"sha256,label\n{records['sha256'][0]},Pre\n"), CLASSES).set_index("image_id")
    assert told.loc[["Benign/0", "Pro/only"], "label"].tolist() == ["Pre", "Pre"]
    assert told["folder_label"].dropna().to_dict() == {"Benign/0": "Benign", "Pro/only": "Pro"}


def test_hashes_may_be_in_capitals_as_windows_writes_them(records):
    records["sha256"] = records["sha256"].str.replace("0", "a")
    told = relabel(records, read(f"sha256,label\n{records['sha256'][1].upper()},Pre\n"), CLASSES)
    assert told["label"][1] == "Pre"


def test_a_table_without_rows_is_told_of(records, caplog):
    told = relabel(records, read("image_id,label\n"), CLASSES)
    assert told["label"].equals(records["label"])
    assert "no row" in caplog.text


def test_other_labels_are_other_data_and_none_are_the_same_as_before(records):
    same = relabel(records, read("image_id,label\nPro/0,Pro\n"), CLASSES)
    other = relabel(records, read("image_id,label\nBenign/0,Pro\n"), CLASSES)
    assert fingerprint_manifest(same) == fingerprint_manifest(records)
    assert fingerprint_manifest(other) != fingerprint_manifest(records)
    assert fingerprint_table(other[["image_id", "label"]]) != fingerprint_table(records[["image_id", "label"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,label\nBenign/0,Pr\n", "1 label of no class: Pr. The classes are Benign"),
        ("image_id,label\nBenign/0,Pro\nBenign/0,Pre\n", "1 image with two labels: Benign/0"),
        ("image_id,label\nBenign/0,\n", "1 row without a label: Benign/0"),
        ("image_id,label\n,Pro\n", "1 row without image_id: Pro"),
        ("path,label\nOriginal/Benign/9.png,Pro\n", "1 path of no image: Original/Benign/9.png"),
        (
            "path,label\nBenign/1.png,Pro\n",
            r"path of no image: Benign/1.png. Paths are as in the manifest: Original/Benign/\d",
        ),
        ("file_name,label\n0.png,Pro\n", "1 file_name of several images: 0.png. Name these by image_id"),
        ("file_name,label\nonly,Pro\nonly.png,Pre\n", "1 image with two labels: Pro/only"),
        (f"image_id,label\nBenign/0,{'P' * 99_999}\n", r"no class: P{200}\.\.\.\. The classes are Benign"),
        ("image_id,class\nBenign/0,Pro\n", "it needs label, and sha256, image_id, path or file_name"),
        ("image_id,label,suggested\nBenign/0,Benign,Pro\n", "a column suggested beside label, as label_issues.csv has"),
        ("", "The table of labels labels.csv is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(records, text, message):
    with pytest.raises(InputError, match=message) as raised:
        relabel(records, read(text), CLASSES)
    assert "\n" not in str(raised.value)


def test_a_label_that_was_found_right_once_it_was_another_stays_so(records, tmp_path, monkeypatch):
    reviews = LabelReviewsDataset(filepath=str(tmp_path / "reviews.db"))
    blank = dict.fromkeys(["reviewed_at", "image_id", "data", "suggested", "note", "reviewer"], "")
    for label, verdict, said in (
        ("Benign", "label wrong", "Pro"),
        ("Pro", "label right", "Pro"),  # doubted once more, after the table of labels
        ("Pro", "not assessable", None),
    ):
        facts = {"sha256": records["sha256"][0], "label": label, "verdict": verdict, "reviewer_class": said}
        reviews.save(pd.DataFrame([blank | facts]))
    (block,) = re.findall(r"```python\n(.*?)```", Path("docs/label_issues.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("data/01_raw").mkdir(parents=True)
    exec(block, {"catalog": type("Catalog", (), {"load": lambda self, name: reviews.load()})()})
    told = relabel(records, read(Path("data/01_raw/labels.csv").read_text()), CLASSES)
    assert told["label"][0] == "Pro"
