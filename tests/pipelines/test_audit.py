import logging
import os
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from leukoscope.audit.ladder import Ladder
from leukoscope.features.colour import count_colours
from leukoscope.images.decoding import Limits
from leukoscope.images.grouping import select_accepted
from leukoscope.images.manifest import fingerprint_manifest, make_manifest
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_source
from leukoscope.pipelines.audit.nodes import climb_ladder, describe_images, draw_audit, judge_audit
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.synthetic import write_smears

OPTIONS = AuditOptions(trees=40, repeats=1, embargoes=())
SERIES = AuditOptions(trees=10, repeats=2, embargoes=(0, 3))
SPLITTING = SplittingOptions(appearance_clusters=24)


SEEDS = [
    (1, False),
    (1, True),
    *(pytest.param(case, marks=pytest.mark.slow) for case in product((2, 3), (False, True))),
]
every_seed = pytest.mark.parametrize("audited", SEEDS, indirect=True)
one_seed = pytest.mark.parametrize("audited", [(1, False)], indirect=True)


@pytest.fixture(scope="module")
def audited(request, tmp_path_factory, class_names):
    """The audit of forty made smears a class, whose stain gives the class away or does not."""
    seed, confounded = request.param
    root = tmp_path_factory.mktemp("audit")
    write_smears(root / "raw", dict.fromkeys(class_names, 40), 64, seed=seed, confounded=confounded)
    source = open_source(root / "raw")
    save_packed(PackingPlan(source, tuple(class_names), 64, Limits(16, 10**6, 10**6)), root / "store")
    smears = PackedImages(root / "store")
    manifest = make_manifest(smears.records, smears.pixels, 40)
    features = describe_images(source, smears, manifest)
    table = climb(features, manifest, smears)
    return confounded, manifest, smears, features, table


def climb(features, manifest, smears, group_table=None, networks=None, options=OPTIONS):
    return climb_ladder(features, manifest, smears, group_table, options, SPLITTING, 1, networks or {})


@pytest.fixture(scope="module")
def by_series(audited):
    """The audit of files' sizes and the hue band, with neighbours in file number left out too."""
    _, manifest, smears, features, _ = audited
    few = features[[name for name in features if name.split(".")[0] in ("image_id", "hue_band", "file")]]
    return climb(few, manifest, smears, options=SERIES)


@every_seed
def test_the_alarm_is_raised_where_stain_gives_the_class_away_and_only_there(audited, caplog):
    confounded, manifest, _, _, table = audited
    with caplog.at_level(logging.INFO, "leukoscope"):
        text = judge_audit(table, manifest, OPTIONS)
    assert text.startswith("ALARM") is confounded
    assert fingerprint_manifest(manifest) in text.splitlines()[-1]
    assert {record.levelno for record in caplog.records} == {logging.WARNING if confounded else logging.INFO}


@one_seed
def test_the_table_has_every_protocol_and_predictor(audited):
    table = audited[-1]
    named = ["protocol", "embargo", "predictor", "accuracy", "low", "high", "balanced_accuracy", "spread"]
    assert list(table.columns) == [*named, "images", "training_images", "groups", "data"]
    assert table.index.is_unique
    assert set(table["data"]) == {fingerprint_manifest(audited[1])}
    assert list(dict.fromkeys(table["protocol"])) == ["image", "duplicate", "appearance"]
    blind = {"colour_histogram", "background", "border", "corner", "thumbnail", "hue_band", "file"}
    assert table.groupby("protocol")["predictor"].agg(set).tolist() == [blind] * 3


@one_seed
def test_embargoes_and_their_controls_come_last(by_series):
    rungs = by_series[["protocol", "embargo"]].drop_duplicates().fillna(-1).to_numpy().tolist()
    groups = [["image", -1], ["duplicate", -1], ["appearance", -1]]
    assert rungs == [*groups, ["series", 0], ["series", 3], ["series_control", 3]]
    assert by_series["predictor"].tolist() == ["hue_band", "file"] * 6
    assert by_series.index.is_unique


@one_seed
def test_a_network_and_the_users_groups_join_the_ladder(audited):
    _, manifest, smears, features, _ = audited
    splits = np.where(np.arange(len(manifest)) % 2, "train", "test")
    knows = manifest["label"].factorize()[0].astype(float)
    network = manifest[["image_id", "sha256"]].assign(split=splits, feature_0=knows, feature_1=knows == 2)
    patients = pd.DataFrame({"image_id": manifest["image_id"], "group": np.arange(len(manifest)) // 4})
    few = pd.concat([features[["image_id"]], features.filter(like="file.")], axis=1)
    table = climb(few, manifest, smears, patients, {"resnet50": network})
    assert list(dict.fromkeys(table["protocol"])) == ["image", "duplicate", "appearance", "table"]
    rows = table[table["predictor"] == "resnet50_features"].set_index("protocol")
    assert rows.loc["image", "accuracy"] > 0.9
    assert rows.loc["image", "images"] == 80
    # Each cluster and each patient has an image that the network learned from.
    assert list(rows.index) == ["image", "duplicate"]
    drawn = [one.get_text() for one in draw_audit(table, manifest).axes[0].get_yticklabels()]
    assert drawn == ["file", "resnet50 features"]


@one_seed
def test_as_many_clusters_as_images_are_left_out(audited, caplog):
    _, manifest, smears, features, _ = audited
    few = pd.concat([features[["image_id"]], features.filter(like="file.")], axis=1)
    table = climb_ladder(few, manifest, smears, None, OPTIONS, SplittingOptions(appearance_clusters=999), 1, {})
    assert list(table["protocol"]) == ["image", "duplicate"]
    assert "splitting.appearance_clusters is 999" in caplog.text


@one_seed
def test_clusters_that_are_hardly_more_than_images_are_warned_of(audited, caplog):
    _, manifest, smears, features, _ = audited
    few = pd.concat([features[["image_id"]], features.filter(like="file.")], axis=1)
    climb_ladder(few, manifest, smears, None, OPTIONS, SplittingOptions(appearance_clusters=40), 1, {})
    assert "splitting.appearance_clusters is 40, for 160 images" in caplog.text


@one_seed
def test_a_network_that_left_no_image_of_a_class_is_not_judged_on_the_others(audited, caplog):
    _, manifest, smears, features, _ = audited
    splits = np.where(manifest["label"] == "Pro", "train", "test")
    network = manifest[["image_id", "sha256"]].assign(split=splits, feature_0=1.0)
    few = pd.concat([features[["image_id"]], features.filter(like="file.")], axis=1)
    table = climb(few, manifest, smears, None, {"resnet50": network})
    assert "resnet50_features" not in set(table["predictor"])
    assert "image, resnet50_features: not judged, a class has 0 groups" in caplog.text


@one_seed
def test_the_picture_says_what_was_held_out_and_in_how_many_groups(audited, by_series):
    manifest = audited[1]
    legend = [text.get_text() for text in draw_audit(by_series, manifest).legends[0].get_texts()]
    assert legend[0] == "image by image, copies on both sides (160 groups)"
    assert legend[3:6] == [
        "runs of file numbers, embargo of 0 (20 groups)",
        "runs of file numbers, embargo of 3 (20 groups)",
        "as many images as with 3, no embargo (20 groups)",
    ]
    assert "the largest class alone" in legend


@one_seed
def test_an_interval_is_drawn_as_it_is_even_if_it_misses_its_value(audited):
    _, manifest, *_, table = audited
    drawn = draw_audit(table.assign(accuracy=0.5, low=0.6, high=0.7), manifest).axes[0].collections
    assert {tuple(segment[:, 0]) for one in drawn for segment in one.get_segments()} == {(0.6, 0.7)}


@one_seed
def test_what_could_not_be_judged_by_file_numbers_is_in_the_verdict(audited, by_series):
    manifest = audited[1]
    left = by_series[by_series["embargo"].fillna(0) == 0]
    text = judge_audit(left, manifest, SERIES)
    assert "Not judged with 3 file numbers left out beside the tested fields: some class would not be left in" in text
    nameless = manifest.assign(image_id=manifest["image_id"].str.replace(r"[0-9]", "x", regex=True))
    text = judge_audit(left[left["protocol"] != "series"], nameless, SERIES)
    assert "Neighbours in file number could not be kept apart: 40 of 40 file names of class Benign have no" in text
    assert "Not judged with" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warning": 0.6}, "a warning must not come after"),
        ({"embargoes": [37, 0]}, "write each once, the smallest first"),
        ({"embargoes": [-1]}, "greater than or equal to 0"),
        ({"repeats": 0}, "greater than 0"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        AuditOptions(**options)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_DATA" not in os.environ, reason="LEUKOSCOPE_DATA does not name the real smears' folder")
def test_colour_falls_where_neighbours_of_the_published_smears_do_not_train(tmp_path, class_names):
    source = open_source(Path(os.environ["LEUKOSCOPE_DATA"]))
    save_packed(PackingPlan(source, tuple(class_names), 224, Limits(16, 10**6, 10**6)), tmp_path)
    smears = PackedImages(tmp_path)
    images = select_accepted(make_manifest(smears.records, smears.pixels, 40))
    colours = count_colours(smears.pixels, smears.rows(images["image_id"]))
    ladder = Ladder(tuple(class_names), folds=5, trees=60, confidence=0.95, seed=1, repeats=5)
    table = ladder.climb_series(images, {"colour_histogram": colours}, [0, 37])
    accuracy = table.set_index(["protocol", "embargo"])["accuracy"]
    assert 0.90 < accuracy["series", 37] < 0.95
    assert accuracy["series", 0] > 0.955
    assert accuracy["series_control", 37] > 0.955
