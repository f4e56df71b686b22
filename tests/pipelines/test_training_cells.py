from functools import partial

import numpy as np
import pytest

import tiny_backbone as tiny
from cell_models import CROP, DIAMETER, make_fields
from conftest import CLASS_NAMES
from leukoscope.cells.finding import find_cells
from leukoscope.cells.table import tabulate_cells
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError
from leukoscope.datasets import CellStripsDataset
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.models.cell_vectors import CellVectors
from leukoscope.models.stored import Known, load_classifier, write_classifier
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import cells as nodes
from leukoscope.pipelines.training.nodes import resolve_augmentation, resolve_recipe
from leukoscope.pipelines.training.pipeline import create_pipeline
from leukoscope.training import trainer
from leukoscope.training.converged import fit_head
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

SHARED = Recipe(
    weights="none", input_size=24, batch_size=8, epochs=2, learning_rate=3e-3, dropout=0.1, precision="float32"
)
SIZE = {"diameter": DIAMETER, "crop": CROP, "field": 96}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))


@pytest.fixture(scope="module")
def table():
    fields = make_fields()
    return tabulate_cells(fields.records, find_cells(fields.pixels, np.arange(48), "classical", DIAMETER))


def make_entry(**values) -> ModelOptions:
    return ModelOptions.model_validate({"name": "own", "kind": "cells", "architecture": tiny.NAME, "bag": 4} | values)


@pytest.fixture
def gather(tmp_path, table):
    """Gathers what the preparation takes; the strips are made."""

    def gather_for(shared=SHARED, size=SIZE, finding=None, splits=None, seed=7, drawn=None, **entry) -> dict:
        fields, options = make_fields(), make_entry(**entry)
        splits = fields.splits if splits is None else splits
        finding = finding or CellOptions()
        dataset = CellStripsDataset(filepath=(tmp_path / "strips").as_posix())
        dataset.save(nodes.cut_out_strips(fields, table, size, splits, finding, options, seed))
        recipe = resolve_recipe(shared, options)
        augmentation = resolve_augmentation(drawn or AugmentationOptions(), options, recipe, CLASS_NAMES, splits, None)
        plan = splits[splits["split"] == "train"].assign(repeats=1, weight=1.0)
        facts = {"recipe": recipe, "augmentation": augmentation, "class_names": CLASS_NAMES, "strips": dataset.load()}
        return facts | {"training_plan": plan, "splits": splits, "splitting": SplittingOptions(), "seed": seed}

    return gather_for


@pytest.fixture
def train(tmp_path, gather):
    runs = TrainingRuns(tmp_path / "own")
    known = ContentCache(tmp_path / "cells.db")

    def train_with(teaching=None, **changed):
        facts = gather(**changed)
        journal = runs.start(nodes.prepare_training(**facts)).journal
        taken = (facts["strips"], facts["training_plan"], facts["splits"], make_entry(), known, teaching)
        return *nodes.train_classifier(journal, {"kedro": "1"}, *taken), journal

    return train_with


def measure_accuracy(classifier) -> float:
    fields = make_fields()
    with_cells = np.flatnonzero(fields.counts)
    predicted = classifier.predict(fields.pixels, with_cells).probabilities.argmax(axis=1)
    return (np.array(CLASS_NAMES)[predicted] == fields.splits["label"].to_numpy()[with_cells]).mean()


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


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["attention", "mean"])
@pytest.mark.parametrize("views", [2, None])
def test_a_head_learns_on_a_frozen_encoder(train, pooling, views, tmp_path):
    shared = SHARED.model_copy(
        update={"trainable": "head", "feature_views": views, "epochs": 12, "patience": None, "learning_rate": 0.03}
    )
    classifier, history, _, _ = train(shared=shared, pooling=pooling)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    kept = tmp_path / "own/features/training.npy"
    assert kept.is_file() == (views is not None)
    if kept.is_file():
        shape = (4, tiny.CHANNELS + 1) if pooling == "attention" else (tiny.CHANNELS,)
        assert np.load(kept).shape == (24, 2, *shape)
    if pooling == "attention":
        assert np.abs(classifier.network.parts.pooling.get_weights()[2]).max() > 0


CONVERGED = {"trainable": "head", "feature_views": 0, "optimizer": "lbfgs", "weight_decay": 0.01, "head_norm": True}


@pytest.mark.slow
def test_a_converged_head_reads_fields_by_vectors_that_are_kept(train, tmp_path, monkeypatch):
    shared = SHARED.model_copy(update=CONVERGED)
    classifier, history, summary, _ = train(shared=shared, pooling="mean")
    assert len(history) == summary["epochs"] == 1
    assert history["train_accuracy"].item() > 0.8
    assert measure_accuracy(classifier) > 0.8
    write_classifier(classifier, tmp_path)
    assert load_classifier(tmp_path).frozen
    np.save(tmp_path / "packed.npy", make_fields().pixels)
    packed = np.load(tmp_path / "packed.npy", mmap_mode="r")
    known = Known(cells=ContentCache(tmp_path / "cells.db"))
    first = load_classifier(tmp_path, known).predict(packed)
    expected = classifier.predict(make_fields().pixels)
    assert first.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    assert first.features == pytest.approx(expected.features, abs=1e-4)
    # Whatever else has this encoder computes nothing again: another split, another head.
    monkeypatch.setattr(CellVectors, "_compute", None)
    assert np.array_equal(load_classifier(tmp_path, known).predict(packed).probabilities, first.probabilities)
    splits = make_fields().splits.replace({"split": {"train": "test", "test": "train"}})
    train(shared=shared, pooling="mean", splits=splits)
    stepwise = {"optimizer": "adam", "epochs": 3}
    assert len(train(shared=SHARED.model_copy(update=CONVERGED | stepwise), pooling="attention")[1]) == 3


def test_a_converged_head_sees_copies_under_other_stains(train, monkeypatch):
    seen = []
    monkeypatch.setattr(
        trainer, "fit_head", lambda parts, features, *rest: seen.append(features) or fit_head(parts, features, *rest)
    )
    shared = SHARED.model_copy(update=CONVERGED | {"feature_stains": 2})
    train(shared=shared, pooling="mean", drawn=AugmentationOptions(stain=0.3))
    train(shared=shared.model_copy(update={"feature_stains": 0}), pooling="mean")
    copies, clean = seen
    assert len(copies) == 3 * len(clean)
    assert np.array_equal(copies[: len(clean)], clean)
    first, second = np.split(copies[len(clean) :], 2)
    assert all(np.abs(one - clean).max(axis=1).mean() > 1e-3 for one in (first, second))
    assert not np.allclose(first, second)


def test_a_converged_head_is_taken_up_where_it_was_cut_off(train, tmp_path, monkeypatch):
    shared = SHARED.model_copy(update=CONVERGED | {"patience": None})
    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "_finish", lambda self: {}["cut off"])
        with pytest.raises(KeyError):
            train(shared=shared, pooling="mean")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "fit_head", None)
        resumed = train(shared=shared, pooling="mean")[0]
    for summary in list((tmp_path / "own").rglob("summary.json")):
        summary.parent.rename(tmp_path / "elsewhere")
    assert train(shared=shared, pooling="mean")[0].fingerprint == resumed.fingerprint


def test_attention_cannot_be_fitted_at_once():
    options = make_entry(pooling="attention")
    with pytest.raises(InputError, match=r"lbfgs.*attention of own trains too\. Set models\.own\.pooling=mean"):
        resolve_recipe(SHARED.model_copy(update=CONVERGED), options)


@pytest.mark.slow
def test_no_augmentation_makes_a_cell_of_a_free_slot(train, tmp_path):
    drawn = AugmentationOptions(stain=0.3, brightness=0.2, grey=0.1, blur=2.0, noise=10.0, compression=30.0)
    shared = SHARED.model_copy(update={"trainable": "head", "feature_views": 2})
    train(shared=shared, drawn=drawn)
    filled = np.load(tmp_path / "own/features/training.npy")[..., -1].sum(axis=2)
    cells = make_fields().counts[make_fields().splits["split"] == "train"]
    assert np.array_equal(filled, np.minimum(cells, 4)[:, None].repeat(2, axis=1))


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


def test_cells_and_splits_of_other_images_train_nothing(table):
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
