import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.figures.ingestion import draw_counts
from leukoscope.images.manifest import describe_shortfalls, make_manifest, require_accepted, summarise


def make_records(*rows):
    columns = ["image_id", "label", "sha256", "perceptual_hash", "reason"]
    records = pd.DataFrame(rows, columns=columns).astype("str").where(lambda table: table != "None")
    rest = {"path": records["image_id"] + ".jpg", "bytes": 1, "width": 1, "height": 1, "mode": "RGB"}
    rows = records["reason"].isna().cumsum() - 1
    return records.assign(**rest, warning=None, row=rows.where(records["reason"].isna()))


# All of them alike, so that the hashes decide.
PIXELS = np.tile(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8), (6, 1, 1, 1))


RECORDS = make_records(
    ("Benign/a", "Benign", "1", "0" * 64, None),
    ("Benign/b", "Benign", "1", "0" * 64, None),
    ("Benign/c", "Benign", "2", "0" * 63 + "1", None),
    ("Benign/d", "Benign", "3", None, "empty file (0 bytes)"),
    ("Early/e", "Early", "4", "f" * 64, None),
    ("notes", None, None, None, "not inside a class folder"),
)


def test_duplicates_stay_accepted_and_share_a_group():
    manifest = make_manifest(RECORDS, PIXELS, 2).set_index("image_id")
    assert manifest["group"].to_dict() == {
        "Benign/a": "Benign/a",
        "Benign/b": "Benign/a",
        "Benign/c": "Benign/a",
        "Benign/d": "Benign/d",
        "Early/e": "Early/e",
        "notes": "notes",
    }
    assert manifest["duplicate_of"].dropna().to_dict() == {"Benign/b": "Benign/a", "Benign/c": "Benign/a"}
    assert manifest["duplicate_kind"].dropna().to_dict() == {"Benign/b": "identical", "Benign/c": "near"}
    assert manifest["status"].tolist() == ["accepted"] * 3 + ["quarantined", "accepted", "quarantined"]


def test_without_a_distance_only_identical_images_are_duplicates():
    assert make_manifest(RECORDS, PIXELS, None)["duplicate_of"].count() == 1


def test_conflicting_labels_quarantine_the_whole_group():
    records = make_records(
        ("Benign/a", "Benign", "1", "0" * 64, None),
        ("Benign/b", "Benign", "2", "0" * 64, None),
        ("Early/c", "Early", "1", "0" * 64, None),
    )
    manifest = make_manifest(records, PIXELS, 2)
    assert manifest["status"].tolist() == ["quarantined"] * 3
    assert manifest["reason"].tolist() == [
        "conflicting labels: identical to Early/c (Early)",
        "conflicting labels: looks like Early/c (Early)",
        "conflicting labels: identical to Benign/a (Benign)",
    ]
    with pytest.raises(InputError, match=r"The class Benign has no accepted image: 2 files are quarantined"):
        require_accepted(manifest, ["Benign", "Early"])


def test_a_class_of_which_the_table_of_labels_leaves_none_is_said_to_be_one():
    records = make_records(("Benign/a", "Early", "1", "0" * 64, None), ("Early/c", "Early", "2", "f" * 64, None))
    manifest = make_manifest(records.assign(folder_label=["Benign", None]), PIXELS, 0)
    with pytest.raises(InputError, match=r"Benign has no accepted image: the table of labels gives all 1 .* another"):
        require_accepted(manifest, ["Benign", "Early"])


def test_the_report_counts_classes_the_rest_and_all():
    report = summarise(make_manifest(RECORDS, PIXELS, 2), ["Benign", "Early"], {"Benign": 5, "Early": 1}).set_index(
        "label"
    )
    columns = ["found", "accepted", "quarantined", "duplicates", "identical", "near"]
    assert report.loc["Benign", columns].tolist() == [4, 3, 1, 2, 1, 1]
    assert report.loc["(no class)", columns].tolist() == [1, 0, 1, 0, 0, 0]
    assert report.loc["total", columns].tolist() == [6, 4, 2, 2, 1, 1]
    assert report["expected"].dropna().to_dict() == {"Benign": 5, "Early": 1, "total": 6}


def test_warnings_are_kept_counted_and_named():
    warning = "colours converted to sRGB from the ICC profile A camera"
    records = RECORDS.assign(warning=[warning, None, "dark: hardly a pixel is brighter than 9", None, None, None])
    manifest = make_manifest(records, PIXELS, 2)
    assert manifest["warning"].dropna().to_dict() == records["warning"].dropna().to_dict()
    assert manifest["status"].iloc[0] == "accepted"
    report = summarise(manifest, ["Benign", "Early"], None)
    assert report.set_index("label")["warned"].to_dict() == {"Benign": 2, "Early": 0, "(no class)": 0, "total": 2}
    assert f"2 files have a warning in the manifest, most often: {warning} (1), dark (1)" in describe_shortfalls(
        report, manifest
    )


def test_shortfalls_name_reasons_and_counts_that_differ():
    manifest = make_manifest(RECORDS, PIXELS, 2)
    report = summarise(manifest, ["Benign", "Early"], {"Benign": 5, "Early": 1})
    quarantined, differing = describe_shortfalls(report[report["label"] != "total"], manifest)
    assert quarantined == (
        "2 files are quarantined, most often: empty file (0 bytes) (1), not inside a class folder (1)"
    )
    assert differing.endswith("Benign 4 of 5")


def test_nothing_falls_short_of_unknown_counts():
    manifest = make_manifest(RECORDS[:3], PIXELS, 2)
    assert describe_shortfalls(summarise(manifest, ["Benign"], None), manifest) == []


def test_the_figure_shows_every_part_of_a_class():
    manifest = make_manifest(RECORDS, PIXELS, 2)
    report = summarise(manifest, ["Benign", "Early"], {"Benign": 5, "Early": 1})
    (axes,) = draw_counts(manifest, report).axes
    heights = [[bar.get_height() for bar in container] for container in axes.containers]
    assert heights == [[1, 1, 0], [2, 0, 0], [1, 0, 1]]
    assert [line[0][1] for line in axes.collections[0].get_segments()] == [5, 1]
