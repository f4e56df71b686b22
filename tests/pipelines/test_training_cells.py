from functools import partial

import numpy as np
import pytest

import tiny_backbone as tiny
from cell_models import CROP, make_fields
from cell_trainings import SHARED, SIZE, Trainings, make_entry, make_table, measure_accuracy
from conftest import CLASS_NAMES
from leukoscope.core.errors import InputError
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.models.stored import load_classifier, write_classifier
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.training import cells as nodes
from leukoscope.pipelines.training.pipeline import create_pipeline
from leukoscope.training import trainer


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))


@pytest.fixture
def train(tmp_path):
    return Trainings(tmp_path).train


@pytest.fixture
def gather(tmp_path):
    return Trainings(tmp_path).gather


@pytest.mark.slow
def test_it_learns_from_strips_and_reads_fields(train, tmp_path):
    classifier, history, summary, journal = train(
        shared=SHARED.model_copy(update={"epochs": 25, "patience": None, "learning_rate": 1e-2})
    )
    assert measure_accuracy(classifier) > 0.6
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert (classifier.image_size, classifier.cutting.side) == (96, CROP)
    assert journal.model == classifier.fingerprint
    needed = ("device", "parameters", "model_mib", "seconds_per_epoch", "epochs", "input_size", "precision", "splits")
    assert set(needed) <= set(summary)
    write_classifier(classifier, tmp_path)
    assert load_classifier(tmp_path).fingerprint == classifier.fingerprint


@pytest.mark.parametrize(
    "values",
    [
        {"pooling": "mean"},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"grey": True, "background": "kept"}, marks=pytest.mark.slow),
    ],
)
def test_a_finished_training_is_taken_up_again(train, values, monkeypatch):
    first = train(**values)[0]
    monkeypatch.setattr(trainer.Trainer, "run", None)
    again, _, summary, _ = train(**values)
    assert again.fingerprint == first.fingerprint
    assert summary["provenance"]["kedro"] == "1"


@pytest.mark.slow
def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(train, tmp_path, monkeypatch):
    whole = train(seed=8)[0]
    original = trainer.EpochLog.on_epoch_end

    def stop(self, epoch, logs=None):
        original(self, epoch, logs)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer.EpochLog, "on_epoch_end", stop)
    for file in list((tmp_path / "own").rglob("summary.json")):
        file.parent.rename(tmp_path / "elsewhere")
    with pytest.raises(KeyboardInterrupt):
        train(seed=8)
    monkeypatch.setattr(trainer.EpochLog, "on_epoch_end", original)
    classifier, history, _, _ = train(seed=8)
    assert len(history) == 2
    assert classifier.fingerprint == whole.fingerprint


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 8}, {"seed"}),
        ({"bag": 3}, {"data"}),
        ({"pooling": "mean"}, {"architecture"}),
        ({"grey": True}, {"architecture"}),
        ({"background": "kept"}, {"data"}),
        ({"finding": CellOptions(detector="own:detector")}, {"data"}),
        ({"size": SIZE | {"diameter": 17.0}}, {"data"}),
        ({"size": SIZE | {"crop": 40}}, {"data"}),
        ({"drawn": AugmentationOptions(rotation=90.0)}, {"augmentation"}),
        ({"shared": SHARED.model_copy(update={"learning_rate": 1e-5})}, {"recipe"}),
        ({"splits": make_fields().splits.replace({"split": {"test": "train"}})}, {"splits", "data"}),
    ],
)
def test_what_determines_a_training_is_in_its_key(gather, changed, told):
    before, after = (nodes.prepare_training(**gather(**one)) for one in ({}, changed))
    differ = {name for name in before if before[name] != after[name]}
    assert told <= differ
    assert differ <= told | {"data"}


def test_other_pixels_of_a_cell_are_another_training(gather, monkeypatch):
    before = nodes.prepare_training(**gather())
    changed = make_fields().pixels.copy()
    changed[0, 20, 20] += 1
    monkeypatch.setattr(make_fields(), "pixels", changed)
    after = nodes.prepare_training(**gather())
    assert before["data"]["cells"]["strips"] != after["data"]["cells"]["strips"]


def test_cells_and_splits_of_other_images_train_nothing():
    table = make_table()
    fields, options = make_fields(), (CellOptions(), make_entry(), 7)
    splits = fields.splits
    test = table[table["image_id"].isin(splits.loc[splits["split"] != "train", "image_id"])]
    for cells, size, wanted, message in (
        (table.iloc[:0], SIZE, splits, "No field whose cells are needed has a cell, of 24"),
        (test, SIZE, splits, "No field whose cells are needed has a cell, of 24"),
        (table.assign(image_id="x/" + table["image_id"]), SIZE, splits, "cells are of other images"),
        (table, SIZE | {"field": 192}, splits, "fields of 192 pixels a side"),
        (table, SIZE, splits.assign(image_id="x/" + splits["image_id"]), "36 of 36 fields .* are not packed"),
    ):
        with pytest.raises(InputError, match=message):
            nodes.cut_out_strips(fields, cells, size, wanted, *options)


def test_the_test_images_have_no_strips(gather):
    assert len(gather()["strips"].pixels) == (make_fields().splits["split"] != "test").sum()


def test_whole_fields_cannot_be_mixed_or_replaced(gather):
    for name, value in (("mixup", 0.2), ("cutmix", 1.0), ("synthetic", 0.5)):
        with pytest.raises(InputError, match=rf"augmentation has {name}, and own reads single cells") as caught:
            gather(drawn=AugmentationOptions(**{name: value}))
        assert "\n" not in str(caught.value)
    gather(drawn=AugmentationOptions(mixup=0.2), augmentation={"mixup": 0})


@pytest.mark.slow
def test_a_student_of_cells_learns_from_a_teacher_of_fields(train):
    splits = make_fields().splits
    probabilities = np.full((len(splits), 4), 0.05)
    probabilities[:, 2] = 0.85  # whatever the field is
    teaching = splits[["image_id"]].join(tabulate_probabilities(probabilities, CLASS_NAMES)).assign(model="teacher")
    lesson = {"distillation": {"teacher": "vgg16", "temperature": 2.0, "share": 1.0}}
    shared = SHARED.model_copy(update={"epochs": 12, "learning_rate": 1e-2, "patience": None})
    classifier, *_ = train(teaching, shared=shared, training=lesson)
    assert (classifier.predict(make_fields().pixels).probabilities.argmax(axis=1) == 2).mean() > 0.9


def test_the_pipeline_puts_strips_in_the_place_of_images():
    alone, taught = (create_pipeline("cells", teacher=teacher) for teacher in (None, "vgg16"))
    for pipeline in (alone, taught):
        by_name = {node.name: node for node in pipeline.nodes}
        assert "smears" in by_name["cut_out_strips"].inputs
        for name in ("prepare_training", "train_classifier"):
            assert "strips" in by_name[name].inputs
            assert "smears" not in by_name[name].inputs
    assert "teaching" in {node.name: node for node in taught.nodes}["train_classifier"].inputs
