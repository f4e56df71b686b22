"""Every backend trains, evaluates and predicts, and loads what another saved."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from leukoscope.models.network import Classifier, build_classifier
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe


def on_backends(*slow: str) -> list:
    """Give a parameter for each backend; those that others stand for already are marked slow."""
    marks = {
        name: [pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")]
        for name in ("tensorflow", "jax", "torch")
    }
    for name in slow:
        marks[name].append(pytest.mark.slow)
    return [pytest.param(name, marks=those) for name, those in marks.items()]


PREDICT = """
import sys
from pathlib import Path
import numpy as np
from leukoscope.models.network import Classifier
from leukoscope.inference.predictor import Predictor
model, pixels, out, again = map(Path, sys.argv[1:])
held = np.load(pixels)
classifier = Classifier.load(model)
np.save(out, Predictor(classifier, 4).predict(held)[0])
classifier.save(again)
"""
TRAIN = """
import json, sys
from pathlib import Path
import numpy as np
import tiny_backbone as tiny
from leukoscope.training.labelled import LabelledImages
from leukoscope.training import trainer
from leukoscope.backend import memory
from leukoscope.training.trainer import Trainer
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
tiny.add()
folder, values = Path(sys.argv[1]), json.loads(sys.argv[2])
classes = np.arange(72) % 4
noise = np.random.default_rng(0).integers(0, 40, (72, 32, 32, 3))
pixels = (noise + 50 * classes[:, None, None, None]).astype("uint8")
parts = [LabelledImages(pixels, rows, classes[rows], np.ones(len(rows))) for rows in (np.arange(48), np.arange(48, 72))]
shared = Recipe(weights="none", input_size=32, batch_size=16, dropout=0.1, learning_rate=1e-4, precision="float32")
recipe = resolve_recipe(tiny.NAME, shared, RecipeDifferences(**values))
journal = TrainingJournal(folder / "journal")
journal.start(values)
trainer = Trainer(tiny.NAME, recipe, list("abcd"), *parts, {"rotation": 9.0}, journal, 1)
if "hold" in sys.argv:
    memory.has_room_for = lambda size: True
if "die" in sys.argv:
    append = TrainingJournal.append
    def die(self, row):
        append(self, row)
        if row["epoch"] == 2:
            sys.exit(9)
    TrainingJournal.append = die
trainer.fit().save(folder / "model.keras")
"""


def run(backend: str, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def train(backend: str, folder, values: dict, *how: str, status: int = 0, **environment: str) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    answer = run(backend, TRAIN, folder, json.dumps(values), *how, **environment)
    assert answer.returncode == status, answer.stderr
    return np.genfromtxt(folder / "journal/history.csv", delimiter=",", names=True)


@pytest.mark.slow
@pytest.mark.parametrize("backend", on_backends("tensorflow"))
def test_a_model_gives_the_same_probabilities_under_another_backend(backend, class_names, tmp_path, rng):
    recipe = resolve_recipe("mobilenet_v2", Recipe(weights="none", input_size=48), RecipeDifferences())
    classifier = build_classifier("mobilenet_v2", recipe, class_names, seed=3)
    for layer in classifier.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.8, 1.2, one.shape) for one in layer.get_weights()])
    head = classifier.network.get_layer("probabilities")
    head.kernel.assign(rng.normal(0, 0.1, head.kernel.shape))
    classifier.save(tmp_path / "model.keras")
    pixels = rng.integers(0, 256, (6, 60, 60, 3), np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    files = [tmp_path / name for name in ("model.keras", "pixels.npy", "out.npy", "again.keras")]
    answer = run(backend, PREDICT, *files)
    assert answer.returncode == 0, answer.stderr
    ours, again = (
        keras.ops.convert_to_numpy(one.network(pixels, training=False))
        for one in (classifier, Classifier.load(files[3]))
    )
    assert ours.std(axis=1).min() > 0.05  # far from one probability for all
    assert np.load(tmp_path / "out.npy") == pytest.approx(ours, abs=1e-4)
    assert again == pytest.approx(ours, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("backend", on_backends())
def test_a_backend_trains_with_averaged_weights(backend, tmp_path):
    history = train(backend, tmp_path / "run", {"epochs": 4, "patience": 3, "ema_momentum": 0.5})
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert history["validation_loss"][-1] < history["validation_loss"][0]
    assert (tmp_path / "run/model.keras").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("backend", on_backends())
def test_an_interrupted_training_goes_on_and_held_images_teach_the_same(backend, tmp_path):
    values = {"epochs": 4, "patience": None}
    expected = train(backend, tmp_path / "whole", values)
    train(backend, tmp_path / "cut", values, "die", status=9)
    mended = train(backend, tmp_path / "cut", values)
    held = train(backend, tmp_path / "held", values, "hold")
    for column in ("train_loss", "validation_loss"):
        assert mended[column] == pytest.approx(expected[column], rel=1e-6)
        assert held[column] == pytest.approx(expected[column], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("backend", on_backends())
def test_a_head_learns_from_kept_views_that_differ(backend, tmp_path):
    history = train(backend, tmp_path / "run", {"epochs": 4, "trainable": "head", "feature_views": 2})
    assert history["validation_loss"][-1] < history["validation_loss"][0]
    views = np.load(tmp_path / "run/features/training.npy")
    assert (np.ptp(views, axis=1).max(axis=1) > 1e-4).all()


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"head_epochs": 1, "trainable": "block2"}])
def test_two_devices_learn_what_one_does(tmp_path, more):
    values = {"epochs": 2, "batch_size": 16, **more}
    one = train("jax", tmp_path / "one", values)
    flags = "--xla_force_host_platform_device_count=2"
    two = train("jax", tmp_path / "two", {**values, "data_parallel": True}, XLA_FLAGS=flags)
    for column in ("train_loss", "validation_loss", "validation_accuracy"):
        assert two[column] == pytest.approx(one[column], rel=1e-3)
    assert abs(one["train_loss"][-1] / one["train_loss"][0] - 1) > 0.02  # what it learned is far more than they differ


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_a_batch_that_devices_cannot_share_is_refused(tmp_path):
    flags = "--xla_force_host_platform_device_count=2"
    (tmp_path / "run").mkdir()
    values = json.dumps({"data_parallel": True, "batch_size": 5})
    answer = run("jax", TRAIN, tmp_path / "run", values, XLA_FLAGS=flags)
    assert "A batch of 5 images cannot be shared by 2 devices" in answer.stderr
