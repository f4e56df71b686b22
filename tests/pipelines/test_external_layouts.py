import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.evaluation.intervals import estimate_share
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.layout import FOLDERS
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.source import open_source
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.external import nodes, taking_in
from leukoscope.pipelines.external.options import ExternalOptions
from leukoscope.pipelines.ingestion import nodes as ingestion
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.splitting.nodes import group_images
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.reporting import pages
from made_layouts import write_boxes, write_cnmc, write_raabin

EVALUATION = EvaluationOptions(resamples=30)
INGESTION = IngestionOptions(image_size=32, layout="auto", near_duplicate_distance=None)  # drawn cells are too alike
CNMC = (6, 5, 4)  # subjects with leukemia, healthy ones, cells of each


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Images that classifiers learned from, none of which is among the external ones."""
    manifest = pd.DataFrame(columns=["image_id", "sha256", "perceptual_hash", "status"], dtype=str)
    pixels = np.zeros((0, 32, 32, 3), np.uint8)
    return SimpleNamespace(pixels=pixels, rows=lambda ids: np.zeros(0, int), layout=FOLDERS), manifest


@pytest.fixture(scope="module")
def take_in(tmp_path_factory, class_names, own):
    """Take in a folder: its layout, mapping and manifest."""

    def take(root, **options):
        external = ExternalOptions(**{"layout": "auto"} | options)
        layout = taking_in.recognise_layout(open_source(root), external)
        mapping = taking_in.map_classes(external, layout, class_names, EVALUATION)
        store = tmp_path_factory.mktemp("store") / "packed"
        save_packed(taking_in.decode_external(open_source(root), mapping, layout, INGESTION), store)
        smears = PackedImages(store)
        return layout, mapping, taking_in.build_external_manifest(smears, mapping, layout, *own, INGESTION), smears

    return take


@pytest.fixture(scope="module")
def cnmc(tmp_path_factory, take_in):
    return take_in(write_cnmc(tmp_path_factory.mktemp("cnmc"), *CNMC))


def test_labels_of_a_data_set_stand_for_benign_and_malignant(cnmc):
    layout, mapping, manifest, _ = cnmc
    assert layout["layout"] == "cnmc"
    assert mapping["by_folder"] == {"all": "malignant", "hem": "Benign"}
    assert manifest["label"].value_counts().to_dict() == {"malignant": 24, "Benign": 20}


def test_cells_of_one_subject_are_one_group(cnmc):
    manifest = cnmc[2]
    assert (manifest["status"] == "accepted").all()
    assert manifest["named_group"].nunique() == 11
    assert (manifest.groupby("named_group")["group"].nunique() == 1).all()


def test_single_cells_are_told_from_fields_in_the_log(tmp_path, take_in, caplog):
    with caplog.at_level(logging.INFO, "leukoscope"):
        take_in(write_cnmc(tmp_path))
    assert "C-NMC 2019, single cells, labels: all 4, hem 4" in caplog.text
    assert "These are single cells, and the classifiers learned from fields" in caplog.text


def tabulate(manifest, class_names):
    """Let a classifier be wrong about every cell of some subjects, and have no opinion of others."""
    accepted = manifest[["image_id", "label", "named_group"]].reset_index(drop=True)
    wrong = accepted["named_group"].isin(["subject 1", "subject 2", "subject H7"])
    malignant = (accepted["label"] == "malignant") ^ wrong
    facts = accepted[["image_id", "label"]].assign(split="external", model="net")
    score = np.where(malignant, 0.9, 0.2)
    columns = {"probability_benign": 1 - score, "probability_malignant": score}
    predicted = np.where(malignant, "malignant", "Benign")
    reason = np.where(accepted["named_group"] == "subject 3", "unlike the training images: unfamiliar features", "")
    opinion = np.where(reason == "", predicted, "abstained")
    predictions = facts.assign(predicted=predicted, **columns)
    return predictions, facts.assign(opinion=opinion, reason=reason, prediction_set="", ood_score=0.0, **columns)


def test_figures_by_subject_are_those_that_are_recomputed(cnmc, class_names):
    layout, mapping, manifest, _ = cnmc
    predictions, opinions = tabulate(manifest, class_names)
    calibration = Calibration(1.0, 0.5, 3.0, [[0.1]] * 4, operating_point=0.5, model="m").describe()
    results = [{"model": "net", "title": "Net", "calibration": calibration}]
    row = nodes.score_external(predictions, opinions, manifest, mapping, layout, EVALUATION, 1, results).iloc[0]
    is_malignant = (manifest["label"] == "malignant").to_numpy()
    found = (predictions["probability_malignant"] >= 0.5).to_numpy()
    subjects = manifest["named_group"].to_numpy()
    for name, hits, among in (
        ("screening_sensitivity", found, is_malignant),
        ("screening_specificity", ~found, ~is_malignant),
        ("unlike", (opinions["reason"] != "").to_numpy(), is_malignant | True),
        ("accuracy", found == is_malignant, is_malignant | True),
    ):
        share = hits[among].mean()
        _, low, high = estimate_share(hits[among], subjects[among], EVALUATION.confidence)
        ends = row[f"external_{name}"], row[f"external_{name}_low"], row[f"external_{name}_high"]
        assert ends == pytest.approx((share, low, high)), name
        by_image = estimate_share(hits[among], np.arange(among.sum()), EVALUATION.confidence)
        assert high - low > 1.3 * (by_image.high - by_image.low), name
    assert row["external_screening_sensitivity"] == pytest.approx(4 / 6)
    assert row["external_screening_specificity"] == pytest.approx(4 / 5)
    assert row["external_coverage"] == pytest.approx(1 - 4 / 44)
    assert row["external_groups"] == row["external_subjects"] == 11
    facts = row[["external_scale", "external_interval_unit", "external_median_images_a_subject"]].tolist()
    assert facts == ["single cells", "subject", 4.0]


def render(manifest, mapping, layout, smears):
    about = taking_in.describe_layout(manifest, layout, smears)
    context = nodes.describe_external(manifest, mapping, about, ExternalOptions(), {"leukoscope": "0"}, 1, [], [])
    source = "{% import 'parts.html' as parts %}{{ parts.of_layout(layout, 44) }}{{ parts.missing({}, data) }}"
    template = pages.page_environment().from_string(source)
    return template.render(layout=context.data_sheet["layout"], data=context.data_sheet)


def test_the_page_says_whose_cells_they_are_and_that_they_are_no_fields(cnmc, own):
    layout, mapping, manifest, smears = cnmc
    page = " ".join(render(manifest, mapping, layout, own[0]).split())
    for words in (
        "Single cells, not fields.",
        "44 images of 11 subjects, with a median of 4 per subject (4 to 4)",
        "Intervals resample whole subjects",
        "the final test set has no labels",
        "figures with intervals are by subject",
    ):
        assert words in page
    assert "no figure is by patient" not in page
    assert "another task" not in render(manifest, mapping, layout, smears)  # whose classifier learned from cells


def test_without_cells_of_leukemia_benign_and_malignant_are_told_apart_all_the_same(tmp_path, take_in, caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        layout, mapping, manifest, _ = take_in(write_raabin(tmp_path))
    assert mapping["class_names"] == ("Benign", "malignant")
    assert "There are no external images of malignant" in caplog.text
    assert taking_in.count_subjects(manifest, layout)["subjects"] is None


def test_boxes_need_their_user_to_say_what_they_hold(tmp_path, take_in):
    boxes = {"a": [("WBC", 20, 30, 60, 70), ("RBC", 90, 90, 130, 130)], "b": [("WBC", 30, 30, 80, 80)]}
    root = write_boxes(tmp_path, boxes)
    with pytest.raises(InputError, match=r"as in external\.class_map\.NAME=Benign; there are RBC, WBC"):
        take_in(root)
    _, _, manifest, _ = take_in(root, class_map={"WBC": "Benign"})
    assert manifest["named_group"].tolist() == ["field JPEGImages/a", "field JPEGImages/b"]
    with pytest.raises(InputError, match="has none of the labels cell"):
        take_in(root, class_map={"cell": "Benign"})


def test_folders_that_no_name_fits_say_what_they_look_like(tmp_path, take_in):
    root = write_cnmc(tmp_path, 1, 1, 1)
    with pytest.raises(InputError, match=r"none of the folders Benign.*It looks like C-NMC 2019: external.layout=cnmc"):
        take_in(root, layout="folders")


def test_a_classifier_of_such_labels_learns_from_subjects_kept_apart(tmp_path, caplog):
    root, names = write_cnmc(tmp_path / "raw"), ["hem", "all"]
    save_packed(ingestion.decode_images(open_source(root), names, INGESTION, None), tmp_path / "store")
    smears = PackedImages(tmp_path / "store")
    manifest = ingestion.build_manifest(smears, None, names, INGESTION, ClusterOptions())
    groups = group_images(manifest, None, smears, SplittingOptions(group_by="name"), 1)["group"]
    assert groups.nunique() == 4
    with caplog.at_level(logging.WARNING, "leukoscope"):
        group_images(manifest, None, smears, SplittingOptions(), 1)
    assert "splitting.group_by=name keeps them together" in caplog.text
    nameless = manifest.assign(named_group=None)
    with pytest.raises(InputError, match="the names of 8 of the 8 accepted images have no group"):
        group_images(nameless, None, smears, SplittingOptions(group_by="name"), 1)
