import json
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.images.generated import GeneratedImages
from leukoscope.inference.predictor import Predictor
from leukoscope.training import callbacks, checkpoint, phases, trainer
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.optimizers import build_optimizer, learning_rate
from leukoscope.training.recipe import Phase, Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.runs import TrainingRuns
from leukoscope.training.substitution import Substitution
from leukoscope.training.trainer import Trainer

# What differs between two trainings that are alike; without counters there is no energy.
COSTS = ["training_seconds", "seconds", "cpu_seconds", "energy_kwh"]
GEOMETRY = {"rotation": 10.0, "zoom": 0.1, "shift": 0.1}


@pytest.fixture
def images(smears, splits, class_names) -> tuple[LabelledImages, LabelledImages]:
    plan = splits.assign(repeats=1, weight=1.0)
    parts = (plan[plan["split"] == name] for name in ("train", "validation"))
    return tuple(LabelledImages.from_plan(smears, part, class_names) for part in parts)


@pytest.fixture
def fit(images, class_names, tmp_path, monkeypatch):
    """Train a small network at 32 pixels on squares of four brightnesses."""
    tiny.add(partial(monkeypatch.setattr, raising=False))

    def run(folder: str = "run", seed: int = 1, **values):
        shared = Recipe(
            weights="none",
            input_size=32,
            batch_size=16,
            epochs=2,
            learning_rate=1e-4,
            schedule="cosine",
            dropout=0.1,
            precision="float32",
        )
        recipe = resolve_recipe(tiny.NAME, shared, RecipeDifferences(**values))
        weights = Path(recipe.weights)
        content = weights.read_bytes().hex()[-64:] if weights.is_file() else None
        key = {"seed": seed, "recipe": recipe.model_dump(), "weights": content}
        journal = TrainingRuns(tmp_path / folder).start(key).journal
        return Trainer(tiny.NAME, recipe, class_names, *images, GEOMETRY, journal, seed).fit(), journal

    return run


def weigh_alike(one, other) -> bool:
    pairs = zip(one.network.get_weights(), other.network.get_weights(), strict=True)
    return all((a == b).all() for a, b in pairs)


def test_a_plan_repeats_and_weighs_its_images(smears, splits, class_names):
    plan = splits.head(3).assign(repeats=[1, 2, 0], weight=[1.0, 0.5, 2.0])
    images = LabelledImages.from_plan(smears, plan, class_names)
    assert images.rows.tolist() == [0, 1, 1]
    assert images.weights.tolist() == [1.0, 0.5, 0.5]
    assert images.classes.tolist() == [0, 0, 0]


def test_training_learns_and_says_what_it_did(fit, smears, splits, class_names):
    classifier, journal = fit(epochs=6, learning_rate=3e-3, patience=None)
    probabilities, _ = Predictor(classifier, 32).predict(smears.pixels, smears.rows(splits["image_id"]))
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
    assert summary["seconds_per_epoch"] == pytest.approx(history["seconds"].median())
    assert summary["images_per_second"] == pytest.approx(112 / history["training_seconds"].median())
    assert (history["training_seconds"] < history["seconds"]).all()
    assert summary["cpu_seconds"] == pytest.approx(history["cpu_seconds"].sum())
    assert (history["cpu_seconds"] > 0).all()
    assert (summary["energy_kwh"] is None) == summary["energy_source"].startswith("not measured")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(fit):
    first, same, other = (fit(str(n), seed)[0] for n, seed in enumerate((1, 1, 2)))
    assert weigh_alike(first, same)
    assert not weigh_alike(first, other)


@pytest.mark.slow
def test_early_stopping_returns_the_best_weights(fit, monkeypatch):
    losses = iter([0.5, 0.4, 0.6, 0.7, 0.8])
    kept = []

    def worsen(self, epoch, logs=None):
        logs["val_loss"] = next(losses)
        kept.append(self.network.get_weights())
        original(self, epoch, logs)

    original = callbacks.EpochLog.on_epoch_end
    monkeypatch.setattr(callbacks.EpochLog, "on_epoch_end", worsen)
    classifier, journal = fit(epochs=9, patience=2)
    assert len(journal.history()) == 4
    assert journal.summary()["best_epoch"] == 2
    assert all((a == b).all() for a, b in zip(classifier.network.get_weights(), kept[1], strict=True))
    assert not any(journal.folder.glob("state-*"))


def test_a_finished_training_is_not_repeated_and_its_epochs_are_told_again(fit, caplog):
    first, journal = fit()
    before = journal.history()
    with caplog.at_level(logging.INFO, "leukoscope"):
        caplog.clear()
        again, journal = fit()
    assert "not trained again" in caplog.text
    assert [record.epoch["epoch"] for record in caplog.records if hasattr(record, "epoch")] == [1, 2]
    assert journal.history().equals(before)
    assert weigh_alike(first, again)


def test_every_epoch_is_logged_with_its_figures(fit, caplog):
    with caplog.at_level(logging.INFO, "leukoscope"):
        _, journal = fit()
    logged = pd.DataFrame([record.epoch for record in caplog.records if hasattr(record, "epoch")])
    assert logged.to_numpy() == pytest.approx(journal.history().to_numpy())


def test_a_loss_of_nan_stops_and_keeps_what_was_there(fit, images, tmp_path, monkeypatch):
    original = callbacks.EpochLog.on_epoch_end

    def poison(self, epoch, logs=None):
        original(self, epoch, logs)
        self.network.get_layer("probabilities").kernel.assign(np.full((tiny.CHANNELS, 4), np.nan))

    monkeypatch.setattr(callbacks.EpochLog, "on_epoch_end", poison)
    with pytest.raises(InputError, match=r"no longer a number in step 1 of epoch 2.*learning_rate is 0.0001"):
        fit(epochs=5)
    kept = TrainingRuns(tmp_path / "run").find_current()
    assert len(kept.history()) == 1
    assert kept.best_weights.is_file()
    assert not kept.finished
    assert json.loads((kept.folder / "key.json").read_text())["recipe"]["epochs"] == 5


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize(
    ("epoch", "moment", "recipe"),
    [
        (2, "in a step", {"epochs": 2, "patience": None}),
        pytest.param(
            3,
            "before it is kept",
            {"patience": 2, "learning_rate": 3e-3, "ema_momentum": 0.9},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            2,
            "after it is kept",
            {"ema_momentum": 0.9, "patience": None, "weight_decay": 0.01, "clip_norm": 1.0, "label_smoothing": 0.1},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            2,
            "after it is kept",
            {"head_epochs": 2, "trainable": "block2", "ema_momentum": 0.9, "patience": None},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            3, "in a step", {"head_epochs": 1, "trainable": "block2", "feature_views": None}, marks=pytest.mark.slow
        ),
        pytest.param(
            2, "before it is kept", {"trainable": "head", "precision": "mixed_bfloat16"}, marks=pytest.mark.slow
        ),
        pytest.param(
            2,
            "in a step",
            {"precision": "mixed_float16", "ema_momentum": 0.9, "clip_norm": 1.0, "patience": None},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_interrupted_training_ends_like_one_that_was_not(fit, monkeypatch, epoch, moment, recipe):
    recipe = {"epochs": 4, **recipe}
    with monkeypatch.context() as patch:
        _cut_power(patch, epoch, moment)
        with pytest.raises(PowerCutError):
            fit("cut", **recipe)
    mended, journal = fit("cut", **recipe)
    whole, expected = fit("whole", **recipe)
    ours, theirs = (one.history().drop(columns=COSTS, errors="ignore") for one in (journal, expected))
    assert ours.equals(theirs)
    assert weigh_alike(mended, whole)


def _cut_power(patch, epoch, moment):
    log, journal = callbacks.EpochLog, TrainingJournal
    step, append = log.on_train_batch_end, journal.append

    def die_in_a_step(self, batch, logs=None):
        if self.epoch == epoch and batch == 3:
            raise PowerCutError
        step(self, batch, logs)

    def die_around_keeping(self, row):
        if row["epoch"] == epoch and moment.startswith("before"):
            raise PowerCutError
        append(self, row)
        if row["epoch"] == epoch:
            raise PowerCutError

    if moment == "in a step":
        patch.setattr(log, "on_train_batch_end", die_in_a_step)
    else:
        patch.setattr(journal, "append", die_around_keeping)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("state-0002", r"Epoch 2 of tiny could not be kept.*No space.*goes on after epoch 1"),
        pytest.param(
            "best-0002", r"Epoch 2 of tiny could not be kept.*No space.*goes on after epoch 1", marks=pytest.mark.slow
        ),
        pytest.param(
            "final",
            r"The trained weights of tiny could not be kept.*No space.*goes on after epoch 2",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_full_disk_is_told_and_nothing_is_lost(fit, monkeypatch, file, message):
    with monkeypatch.context() as patch:
        original = checkpoint.save_variables

        def fill(path, variables):
            if file in path.name:
                raise OSError(28, "No space left on device")
            original(path, variables)

        patch.setattr(checkpoint, "save_variables", fill)
        with pytest.raises(InputError, match=message):
            fit(learning_rate=3e-3)
    _, journal = fit(learning_rate=3e-3)
    assert journal.epochs == 2
    assert journal.finished


@pytest.mark.slow
def test_images_that_the_device_holds_teach_the_same(fit, monkeypatch):
    given, expected = fit("given", patience=None)
    monkeypatch.setattr("leukoscope.backend.memory.has_room_for", lambda size: True)
    with monkeypatch.context() as patch:
        _cut_power(patch, 2, "in a step")
        with pytest.raises(PowerCutError):
            fit("held", patience=None)
    _, journal = fit("held", patience=None)
    assert journal.history()["train_loss"].tolist() == pytest.approx(expected.history()["train_loss"].tolist())
    held, _ = fit("held", patience=None)
    for ours, theirs in zip(held.network.get_weights(), given.network.get_weights(), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_validation_images_may_be_another_array(images, class_names, tmp_path, monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))
    training, validation = images
    validation = replace(validation, pixels=validation.pixels.copy())
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none"), RecipeDifferences())
    journal = TrainingJournal(tmp_path / "journal")
    trainer = Trainer(tiny.NAME, recipe, class_names, training, validation, GEOMETRY, journal, 1)
    _, batches, validation_batches = trainer.assemble(recipe.phases[0])
    assert batches.array is training.pixels
    assert validation_batches.array is validation.pixels


def test_generated_images_stand_in_also_where_the_device_would_hold_all(images, class_names, tmp_path, monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))
    monkeypatch.setattr("leukoscope.backend.memory.has_room_for", lambda size: True)
    training, validation = images
    drawn = np.full((4, 8, 8, 3), 255, np.uint8)
    generated = GeneratedImages(drawn, np.arange(4), tuple(class_names), "splits", {})
    training = replace(training, substitution=Substitution(generated, 0.5))
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none", batch_size=8), RecipeDifferences())
    trainer = Trainer(
        tiny.NAME, recipe, class_names, training, validation, GEOMETRY, TrainingJournal(tmp_path / "journal"), 1
    )
    _, batches, validation_batches = trainer.assemble(recipe.phases[0])
    assert (batches[0][0].min(axis=(1, 2, 3)) == 255).sum() == 4
    assert validation_batches[0][0].max() < 255


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX can distribute")
def test_a_backend_that_cannot_distribute_says_which_can(fit):
    with pytest.raises(InputError, match="Set KERAS_BACKEND=jax"):
        fit(data_parallel=True)


@pytest.mark.slow
def test_only_the_head_trains_when_asked(fit):
    classifier, _ = fit("head", trainable="head", patience=None)
    untouched, _ = fit("none", trainable="head", patience=None, epochs=1, learning_rate=1e-12, dropout=0.5)
    ours, theirs = (one.network.get_weights() for one in (classifier, untouched))
    assert all((a == b).all() for a, b in zip(ours[:-2], theirs[:-2], strict=True))
    assert (ours[-2] != theirs[-2]).any()


@pytest.mark.slow
def test_a_head_learns_from_kept_features_what_it_learns_from_images(fit):
    kept, images = (
        fit(str(views), trainable="head", feature_views=views, epochs=12, learning_rate=0.02, patience=None)[1]
        for views in (3, None)
    )
    ours, theirs = (journal.history()["validation_loss"].to_numpy() for journal in (kept, images))
    assert ours[-1] < 0.8 * ours[0]
    assert ours[-1] == pytest.approx(theirs[-1], rel=0.15)


@pytest.mark.parametrize("values", [{"feature_views": 0}, {"feature_views": 2}])
def test_a_head_is_fitted_to_whole_fields_at_once(fit, images, values):
    classifier, journal = fit(trainable="head", optimizer="lbfgs", weight_decay=1e-3, **values)
    (row,) = journal.history().to_dict("records")
    _, validation = images
    probabilities = classifier.predict(validation.pixels, validation.rows).probabilities
    right = probabilities.argmax(axis=1) == validation.classes
    assert row["validation_accuracy"] == pytest.approx(right.mean())
    assert row["train_accuracy"] > 0.8


def test_no_head_is_kept_whose_features_are_no_numbers(fit, monkeypatch, tmp_path):
    def see_nothing(network, images, *rest):
        return np.full((len(images.rows), tiny.CHANNELS), np.nan, "float32")

    monkeypatch.setattr(phases, "see_features", see_nothing)
    with pytest.raises(InputError, match=r"not fitted: .* are no numbers.*precision=float32"):
        fit(trainable="head", optimizer="lbfgs", feature_views=0)
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.slow
def test_features_are_computed_once_for_all_heads(fit, monkeypatch):
    _, journal = fit(trainable="head")
    monkeypatch.setattr(keras.Model, "predict_on_batch", lambda *arguments: pytest.fail("computed again"))
    fit(trainable="head", dropout=0.3, epochs=3, feature_views=2)
    assert np.load(journal.features / "training.npy").shape == (112, 2, tiny.CHANNELS)
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        fit(trainable="head", feature_views=1)


@pytest.mark.slow
def test_another_content_of_the_weights_file_makes_other_features(fit, tmp_path):
    file = tmp_path / "base.weights.h5"
    kept = []
    for scale in (1.0, 0.5):
        base = tiny.build(keras.Input((None, None, 3)), None)
        base.set_weights([scale * np.ones_like(one) / one.size**0.5 for one in base.get_weights()])
        base.save_weights(file)
        file.write_bytes(file.read_bytes() + str(scale).encode() * 20)
        _, journal = fit(trainable="head", weights=str(file))
        kept.append(np.load(journal.features / "validation.npy"))
    assert (kept[0] != kept[1]).any()


@pytest.mark.slow
def test_damaged_features_are_computed_anew(fit):
    _, journal = fit(trainable="head")
    expected = np.load(journal.features / "training.npy")
    (journal.features / "training.npy").write_bytes(b"damaged")
    fit(trainable="head", dropout=0.3)
    assert np.load(journal.features / "training.npy") == pytest.approx(expected)


@pytest.mark.parametrize("file", ["final_weights", pytest.param("best_weights", marks=pytest.mark.slow)])
def test_weights_that_cannot_be_read_are_named(fit, monkeypatch, file):
    if file == "best_weights":
        finish = trainer.Trainer._finish
        monkeypatch.setattr(trainer.Trainer, "_finish", lambda self: self.journal.best_weights.write_bytes(b"damaged"))
        fit()
        monkeypatch.setattr(trainer.Trainer, "_finish", finish)
    else:
        _, journal = fit()
        journal.final_weights.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"npz.*cannot be read.*Remove .*/[0-9a-f]{12} to train anew"):
        fit()


@pytest.mark.slow
def test_a_state_that_cannot_be_read_is_named(fit, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        _cut_power(patch, 1, "after it is kept")
        with pytest.raises(PowerCutError):
            fit()
    TrainingRuns(tmp_path / "run").find_current().state.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"state-0001.npz.*cannot be read.*Remove .*/[0-9a-f]{12} to train anew"):
        fit()


@pytest.mark.slow
def test_the_head_trains_first_at_its_own_rate(fit):
    _, journal = fit(
        head_epochs=2, head_learning_rate=0.02, trainable="block2", learning_rate=1e-5, schedule="constant", epochs=3
    )
    assert journal.history()["learning_rate"].tolist() == pytest.approx([0.02, 0.02, 1e-5])


def test_weights_decay_but_biases_and_scales_do_not():
    recipe = resolve_recipe("vgg16", Recipe(weight_decay=0.5), RecipeDifferences())
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    layer.bias.assign([1.0, 1.0])
    before = keras.ops.convert_to_numpy(layer.kernel)
    optimizer = build_optimizer(recipe, recipe.phases[0], steps=1, precision="float32")
    optimizer.build(layer.trainable_variables)
    optimizer.apply_gradients([(keras.ops.zeros_like(one.value), one) for one in layer.trainable_variables])
    assert keras.ops.convert_to_numpy(layer.kernel) == pytest.approx(before * (1 - 0.5 * 1e-4))
    assert keras.ops.convert_to_numpy(layer.bias).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"head_epochs": 20, "warmup_epochs": 10}, "are 20 and 10, and together must be less than epochs, 30"),
        ({"head_epochs": 2, "trainable": "head"}, "trainable is head throughout"),
    ],
)
def test_epochs_that_do_not_add_up_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        resolve_recipe("vgg16", Recipe(**values), RecipeDifferences())


@pytest.mark.slow
def test_mixed_precision_ends_in_float32(fit):
    classifier, journal = fit(precision="mixed_bfloat16", epochs=1)
    assert {layer.compute_dtype for layer in classifier.network.layers} == {"float32"}
    assert journal.summary()["precision"] == "mixed_bfloat16"


def test_a_warm_up_rises_to_the_learning_rate():
    rate = learning_rate(Phase(0, 4, "all", 0.1, "cosine", warmup_epochs=2), steps=10)
    values = [float(keras.ops.convert_to_numpy(rate(step))) for step in (0, 10, 20, 30, 40)]
    assert values == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-6)


def test_training_has_what_makes_it_fast(images, class_names, tmp_path, monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))
    sped_up = []
    monkeypatch.setattr("leukoscope.backend.kernels.use_faster_kernels", sped_up.append)
    monkeypatch.setattr("leukoscope.backend.kernels.choose_steps_per_call", lambda steps: 3)
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none"), RecipeDifferences())
    trainer = Trainer(tiny.NAME, recipe, class_names, *images, GEOMETRY, TrainingJournal(tmp_path), 1)
    model, _, _ = trainer.assemble(recipe.phases[0])
    assert sped_up == [trainer.network]
    assert model.steps_per_execution == 3


def test_the_loss_smooths_labels(images, class_names, tmp_path, monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))
    truth, given = np.eye(4, dtype="float32")[[0]], np.array([[0.7, 0.1, 0.1, 0.1]], "float32")
    smoothed = np.array([0.2 / 4 + 0.8, 0.05, 0.05, 0.05])
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none", label_smoothing=0.2), RecipeDifferences())
    trainer = Trainer(tiny.NAME, recipe, class_names, *images, GEOMETRY, TrainingJournal(tmp_path), 1)
    model, _, _ = trainer.assemble(recipe.phases[0])
    assert float(model.loss(truth, given)) == pytest.approx(-(smoothed * np.log(given[0])).sum(), rel=1e-5)


def test_gradients_are_clipped_by_their_common_norm():
    recipe = resolve_recipe("vgg16", Recipe(clip_norm=0.5), RecipeDifferences())
    variables = [keras.Variable(np.zeros(2, "float32")), keras.Variable(np.zeros(1, "float32"))]
    optimizer = build_optimizer(recipe, recipe.phases[0], steps=1, precision="float32")
    optimizer.build(variables)
    optimizer.apply([keras.ops.array([3.0, 0.0]), keras.ops.array([4.0])], variables)
    means = [keras.ops.convert_to_numpy(one) / (1 - optimizer.beta_1) for one in optimizer._momentums]
    assert np.concatenate(means).tolist() == pytest.approx([0.3, 0.0, 0.4])


@pytest.mark.slow
def test_kept_weights_are_the_average_over_the_steps(fit, monkeypatch):
    momentum, steps = 0.6, []
    original = callbacks.EpochLog.on_train_batch_end

    def note(self, batch, logs=None):
        original(self, batch, logs)
        steps.append(keras.ops.convert_to_numpy(self.network.get_layer("probabilities").kernel))

    monkeypatch.setattr(callbacks.EpochLog, "on_train_batch_end", note)
    classifier, _ = fit(epochs=2, patience=None, ema_momentum=momentum, learning_rate=3e-3)
    average = None
    for weights in steps:
        average = weights if average is None else momentum * average + (1 - momentum) * weights
    kept = keras.ops.convert_to_numpy(classifier.network.get_layer("probabilities").kernel)
    assert np.abs(kept - steps[-1]).max() > 1e-4
    assert kept == pytest.approx(average, abs=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_history_of_a_head_on_kept_features_is_that_of_the_whole_network(fit, smears, splits, precision):
    classifier, journal = fit(trainable="head", epochs=8, learning_rate=0.02, patience=None, precision=precision)
    rows = splits[splits["split"] == "validation"]
    probabilities, _ = Predictor(classifier, 16).predict(smears.pixels, smears.rows(rows["image_id"]))
    truth = rows["label"].map({name: number for number, name in enumerate(classifier.class_names)}).to_numpy()
    loss = -np.log(probabilities[np.arange(len(rows)), truth]).mean()
    tolerance = 1e-4 if precision == "float32" else 0.02
    assert journal.history()["validation_loss"].iloc[-1] == pytest.approx(loss, rel=tolerance)
