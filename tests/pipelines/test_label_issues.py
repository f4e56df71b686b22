"""Doubtful labels as the pipeline lists and draws them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.pipelines.cross_validation.nodes import select_folds
from leukoscope.pipelines.cross_validation.options import CrossValidationOptions
from leukoscope.pipelines.label_issues import nodes
from leukoscope.pipelines.splitting.options import SplittingOptions


def make_manifest(ids) -> pd.DataFrame:
    table = pd.DataFrame({"image_id": ids, "path": [f"raw/{name}.jpg" for name in ids], "sha256": ids, "label": "a"})
    return table.assign(status="accepted", group=ids)


def make_pooled(class_names, labels) -> pd.DataFrame:
    """Make predictions of 100 images whose classes take turns."""
    ids = [f"{number:02d}" for number in range(100)]
    table = tabulate_probabilities(0.05 + 0.8 * np.eye(4)[np.tile(np.arange(4), 25)], class_names)
    return table.assign(
        image_id=ids, label=labels, group=ids, predicted=np.array(class_names)[np.tile(np.arange(4), 25)]
    )


def test_images_that_are_gone_are_told(class_names):
    table = make_pooled(class_names, np.resize(class_names, 100))
    with pytest.raises(
        InputError, match=r"40 of 100 images that the folds of vgg16 .* are not among the present ones, '60'"
    ):
        nodes.find_label_issues({"vgg16": table}, {"vgg16": None}, make_manifest(table["image_id"][:60]), class_names)


def test_images_of_one_class_are_told(class_names):
    table = make_pooled(class_names, class_names[0])
    with pytest.raises(InputError, match=f"All 100 pooled images are labelled {class_names[0]}"):
        nodes.find_label_issues({"vgg16": table}, {"vgg16": None}, make_manifest(table["image_id"]), class_names)


def test_models_that_were_trained_on_no_fold_are_told():
    with pytest.raises(InputError, match=r"No model was trained on folds.*splitting\.fold=1 of 5"):
        select_folds({"vgg16": []}, CrossValidationOptions(), SplittingOptions(), 1)


def test_predictions_that_an_earlier_run_left_behind_do_not_count(class_names):
    table = make_pooled(class_names, np.resize(class_names, 100))
    other = make_pooled(class_names, np.resize(class_names[::-1], 100))
    given = make_manifest(table["image_id"]), class_names
    assert nodes.find_label_issues({"vgg16": table, "old": other}, {"vgg16": None}, *given).empty
    assert len(nodes.find_label_issues({"vgg16": table, "old": other}, {"old": None}, *given)) > 50


def test_doubtful_images_are_listed_with_their_paths_and_drawn(class_names, caplog):
    truth = np.tile(np.arange(4), 25)
    labels = truth.copy()
    labels[0] = 1
    ids = [f"{number:02d}" for number in range(100)]
    table = tabulate_probabilities(0.05 + 0.8 * np.eye(4)[truth], class_names)
    table = table.assign(image_id=ids, label=np.array(class_names)[labels], group=ids)
    manifest = make_manifest(ids)
    with caplog.at_level("INFO"):
        found = nodes.find_label_issues({"vgg16": lambda: table}, {"vgg16": None}, manifest, class_names)
    assert found[["image_id", "path", "label", "suggested"]].to_numpy().tolist() == [
        ["00", "raw/00.jpg", class_names[1], class_names[0]]
    ]
    assert (found["sha256"].tolist(), found["data"].tolist()) == (["00"], [fingerprint_manifest(manifest)])
    assert "Doubtful: 1 of 100 labels" in caplog.text
    smears = SimpleNamespace(pixels=np.full((100, 8, 8, 3), 200, np.uint8), rows=lambda names: [int(n) for n in names])
    figure = nodes.draw_label_issues(found, smears)
    assert figure.axes[0].get_title() == f"{class_names[1]}: {class_names[0]}?"
    assert nodes.draw_label_issues(found.iloc[:0], smears).get_suptitle() == "There is none"
