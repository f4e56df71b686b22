"""Trainings of heads on the frozen encoder of cells."""

from functools import partial

import numpy as np
import pytest

import tiny_backbone as tiny
from cell_models import make_fields
from cell_trainings import SHARED, Trainings, make_entry, measure_accuracy
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError
from leukoscope.models.cell_vectors import CellVectors
from leukoscope.models.stored import Known, load_classifier, write_classifier
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.training.nodes import resolve_recipe
from leukoscope.training import trainer
from leukoscope.training.converged import fit_head


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))


@pytest.fixture
def train(tmp_path):
    return Trainings(tmp_path).train


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
