import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.training.journal import TRAINING_FORMAT, TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer

# Training and validation losses of the three epochs below, under TensorFlow, by the format of trainings.
LOSSES = {1: [[1.734074, 1.835634], [1.552203, 1.909357], [1.419904, 1.722366]]}
RECIPE = Recipe(
    weights="none",
    input_size=32,
    batch_size=16,
    dropout=0.1,
    learning_rate=1e-3,
    precision="float32",
    epochs=3,
    patience=None,
    schedule="cosine",
    warmup_epochs=1,
    weight_decay=0.01,
    label_smoothing=0.1,
)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the losses were recorded under TensorFlow")
def test_the_same_key_gives_the_same_weights_as_ever(tmp_path, monkeypatch):
    """If it does not, raise TRAINING_FORMAT, so that trainings of before no longer count, and record the new losses."""
    tiny.add(lambda *arguments: monkeypatch.setattr(*arguments, raising=False))
    classes = np.arange(48) % 4
    noise = np.random.default_rng(0).integers(0, 40, (48, 32, 32, 3))
    pixels = (noise + 50 * classes[:, None, None, None]).astype("uint8")
    training = LabelledImages(pixels, np.arange(32), classes[:32], np.ones(32))
    validation = LabelledImages(pixels, np.arange(32, 48), classes[32:], np.ones(16))
    recipe = resolve_recipe(tiny.NAME, RECIPE, RecipeDifferences())
    journal = TrainingJournal(tmp_path / "journal")
    journal.start({})
    drawn = {"rotation": 9.0, "horizontal_flip": True}
    Trainer(tiny.NAME, recipe, list("abcd"), training, validation, drawn, journal, seed=1).fit()
    losses = journal.history()[["train_loss", "validation_loss"]].to_numpy()
    assert losses == pytest.approx(np.array(LOSSES[TRAINING_FORMAT]), rel=2e-3)
