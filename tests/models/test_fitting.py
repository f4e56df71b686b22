import json
import logging

import keras
import numpy as np
import pandas as pd
import pytest

from leukoscope.errors import InputError
from leukoscope.models import fitting
from leukoscope.models.fitting import LabelledImages, fit_classifier
from leukoscope.models.inference import predict_probabilities
from leukoscope.models.journal import TrainingJournal
from leukoscope.models.recipes import Recipe, RecipeDifferences, resolve_recipe

GEOMETRY = {"rotation": 10.0, "zoom": 0.1, "shift": 0.1}


@pytest.fixture
def images(smears, splits, class_names) -> tuple[LabelledImages, LabelledImages]:
    plan = splits.assign(repeats=1, weight=1.0)
    parts = (plan[plan["split"] == name] for name in ("train", "validation"))
    return tuple(LabelledImages.from_plan(smears, part, class_names) for part in parts)


@pytest.fixture
def fit(images, class_names, tmp_path):
    """Train a VGG16 at 32 pixels, the quickest to start, on squares of four brightnesses."""

    def run(folder: str = "journal", seed: int = 1, **values):
        shared = Recipe(
            weights="none", input_size=32, batch_size=16, epochs=2, learning_rate=1e-4, schedule="cosine", dropout=0.1
        )
        recipe = resolve_recipe("vgg16", shared, RecipeDifferences(**values))
        journal = TrainingJournal.start(tmp_path / folder, {"seed": seed, **recipe.model_dump()})
        classifier = fit_classifier("vgg16", recipe, class_names, *images, GEOMETRY, journal, seed)
        return classifier, journal

    return run


def test_a_plan_repeats_and_weighs_its_images(smears, splits, class_names):
    plan = splits.head(3).assign(repeats=[1, 2, 0], weight=[1.0, 0.5, 2.0])
    images = LabelledImages.from_plan(smears, plan, class_names)
    assert images.rows.tolist() == [0, 1, 1]
    assert images.weights.tolist() == [1.0, 0.5, 0.5]
    assert images.classes.tolist() == [0, 0, 0]


def test_training_learns_and_says_what_it_did(fit, smears, splits, class_names):
    classifier, journal = fit(epochs=6, patience=None)
    probabilities = predict_probabilities(classifier, smears.pixels, smears.rows(splits["image_id"]), 32)
    accuracy = (np.array(class_names)[probabilities.argmax(axis=1)] == splits["label"]).mean()
    assert accuracy > 0.8
    history = journal.history()
    assert history["epoch"].tolist() == list(range(1, 7))
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert history["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-8)
    summary = journal.summary()
    assert summary["epochs"] == 6
    assert summary["parameters"] == classifier.network.count_params()
    assert summary["precision"] == "float32"
    assert summary["images_per_second"] == pytest.approx(112 / history["seconds"].median())


def test_the_same_seed_gives_the_same_weights(fit):
    first, same, other = (fit(str(n), seed)[0].network.get_weights() for n, seed in enumerate((1, 1, 2)))
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_early_stopping_returns_the_best_weights(fit, monkeypatch):
    losses = iter([0.5, 0.4, 0.6, 0.7, 0.8])
    kept = []

    def worsen(self, epoch, logs=None):
        logs["val_loss"] = next(losses)
        kept.append(self.network.get_weights())
        original(self, epoch, logs)

    original = fitting._EpochLog.on_epoch_end
    monkeypatch.setattr(fitting._EpochLog, "on_epoch_end", worsen)
    classifier, journal = fit(epochs=9, patience=2)
    assert len(journal.history()) == 4
    assert journal.summary()["best_epoch"] == 2
    assert all((a == b).all() for a, b in zip(classifier.network.get_weights(), kept[1], strict=True))


def test_a_finished_training_is_not_repeated_and_its_epochs_are_told_again(fit, caplog):
    first, journal = fit()
    before = journal.history()
    with caplog.at_level(logging.INFO, "leukoscope.models.fitting"):
        caplog.clear()
        again, journal = fit()
    assert "not trained again" in caplog.text
    assert [record.epoch["epoch"] for record in caplog.records if hasattr(record, "epoch")] == [1, 2]
    assert journal.history().equals(before)
    pairs = zip(first.network.get_weights(), again.network.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_every_epoch_is_logged_with_its_figures(fit, caplog):
    with caplog.at_level(logging.INFO, "leukoscope.models.fitting"):
        _, journal = fit()
    logged = pd.DataFrame([record.epoch for record in caplog.records if hasattr(record, "epoch")])
    assert logged.to_numpy() == pytest.approx(journal.history().to_numpy())


def test_a_loss_of_nan_stops_and_keeps_what_was_there(fit, images, tmp_path, monkeypatch):
    original = fitting._EpochLog.on_epoch_end

    def poison(self, epoch, logs=None):
        original(self, epoch, logs)
        self.network.get_layer("probabilities").kernel.assign(np.full((512, 4), np.nan))

    monkeypatch.setattr(fitting._EpochLog, "on_epoch_end", poison)
    with pytest.raises(InputError, match=r"no longer a number in step 1 of epoch 2.*learning_rate is 0.0001"):
        fit(epochs=5)
    kept = TrainingJournal(tmp_path / "journal")
    assert len(kept.history()) == 1
    assert kept.best_weights.is_file()
    assert not kept.finished
    assert json.loads((kept.folder / "key.json").read_text())["epochs"] == 5


def test_only_the_head_trains_when_asked(fit):
    classifier, _ = fit("head", trainable="head", patience=None)
    untouched, _ = fit("none", trainable="head", patience=None, epochs=1, learning_rate=1e-12, dropout=0.5)
    ours, theirs = (one.network.get_weights()[:-2] for one in (classifier, untouched))
    assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


def test_mixed_precision_ends_in_float32(fit):
    classifier, journal = fit(precision="mixed_bfloat16", epochs=1)
    assert {layer.compute_dtype for layer in classifier.network.layers} == {"float32"}
    assert journal.summary()["precision"] == "mixed_bfloat16"


def test_a_warm_up_rises_to_the_learning_rate():
    recipe = resolve_recipe(
        "vgg16", Recipe(warmup_epochs=2, epochs=4, learning_rate=0.1), RecipeDifferences(schedule="cosine")
    )
    rate = fitting._learning_rate(recipe, steps=10)
    values = [float(keras.ops.convert_to_numpy(rate(step))) for step in (0, 10, 20, 30, 40)]
    assert values == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-6)
