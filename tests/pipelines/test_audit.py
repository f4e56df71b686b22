import logging
from itertools import product

import numpy as np
import pandas as pd
import pytest

from leukoscope.images.decoding import Limits
from leukoscope.images.manifest import make_manifest
from leukoscope.images.packing import PackedImages, PackingPlan, save_packed
from leukoscope.images.source import open_source
from leukoscope.models.backbones import BACKBONES
from leukoscope.pipelines.audit.nodes import climb_ladder, describe_images, draw_audit, judge_audit
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.synthetic import write_smears

OPTIONS = AuditOptions(trees=40, resamples=300)
SPLITTING = SplittingOptions(looks=24)


NO_NETWORKS = [None] * len(BACKBONES)
every_seed = pytest.mark.parametrize("audited", list(product((1, 2, 3), (False, True))), indirect=True)
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
    manifest = make_manifest(smears.records, 40)
    features = describe_images(source, smears, manifest)
    table = climb(features, manifest, smears)
    return confounded, manifest, smears, features, table


def climb(features, manifest, smears, group_table=None, networks=NO_NETWORKS):
    return climb_ladder(features, manifest, smears, group_table, OPTIONS, SPLITTING, 1, *networks)


@every_seed
def test_the_alarm_is_raised_where_stain_gives_the_class_away_and_only_there(audited, caplog):
    confounded, manifest, _, _, table = audited
    with caplog.at_level(logging.INFO, "leukoscope"):
        text = judge_audit(table, manifest, OPTIONS)
    assert text.startswith("ALARM") is confounded
    assert {record.levelno for record in caplog.records} == {logging.WARNING if confounded else logging.INFO}


@one_seed
def test_the_table_has_every_protocol_and_predictor(audited):
    table = audited[-1]
    assert list(table.columns) == ["protocol", "predictor", "accuracy", "low", "high", "images", "groups"]
    assert list(dict.fromkeys(table["protocol"])) == ["image", "duplicate", "look"]
    blind = {"colour_histogram", "background", "border", "corner", "thumbnail", "file"}
    assert table.groupby("protocol")["predictor"].agg(set).tolist() == [blind] * 3


@one_seed
def test_a_network_and_the_users_groups_join_the_ladder(audited):
    _, manifest, smears, features, _ = audited
    splits = np.where(np.arange(len(manifest)) % 2, "train", "test")
    knows = manifest["label"].factorize()[0].astype(float)
    network = manifest[["image_id", "sha256"]].assign(split=splits, feature_0=knows, feature_1=knows == 2)
    patients = pd.DataFrame({"image_id": manifest["image_id"], "group": np.arange(len(manifest)) // 4})
    few = pd.concat([features[["image_id"]], features.filter(like="file.")], axis=1)
    table = climb(few, manifest, smears, patients, [network, *NO_NETWORKS[1:]])
    assert list(dict.fromkeys(table["protocol"])) == ["image", "duplicate", "look", "table"]
    rows = table[table["predictor"] == "resnet50_features"].set_index("protocol")
    assert rows.loc["image", "accuracy"] > 0.9
    assert rows.loc["image", "images"] == 80
    # Each look and each patient has an image that the network learned from.
    assert list(rows.index) == ["image", "duplicate"]
    drawn = [one.get_text() for one in draw_audit(table, manifest).axes[0].get_yticklabels()]
    assert drawn == ["file", "resnet50 features"]


@one_seed
def test_as_many_looks_as_images_are_left_out(audited, caplog):
    _, manifest, smears, features, _ = audited
    few = pd.concat([features[["image_id"]], features.filter(like="file.")], axis=1)
    table = climb_ladder(few, manifest, smears, None, OPTIONS, SplittingOptions(looks=999), 1, *NO_NETWORKS)
    assert list(table["protocol"]) == ["image", "duplicate"]
    assert "splitting.looks is 999" in caplog.text
