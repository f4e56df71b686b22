"""Students that learn from what a teacher makes of images."""

import keras
import numpy as np
import pandas as pd
import pytest

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.training.distillation import AccuracyOfTruth, DistillationLoss, soften, teach
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer

NAMES = ("a", "b", "c", "d")
TEACHER = np.array([[0.85, 0.05, 0.05, 0.05], [0.1, 0.7, 0.1, 0.1], [0.02, 0.08, 0.8, 0.1], [0.1, 0.2, 0.1, 0.6]])
CLASSES = np.arange(64) % 4
PIXELS = (np.random.default_rng(0).integers(0, 20, (64, 32, 32, 3)) + 60 * CLASSES[:, None, None, None]).astype("uint8")


def loss_of(labels, probabilities, **options) -> np.ndarray:
    """Compute the loss of each image."""
    loss = DistillationLoss(**options)
    given = (np.atleast_2d(values).astype("float32") for values in (labels, probabilities))
    return keras.ops.convert_to_numpy(loss.call(*map(keras.ops.convert_to_tensor, given)))


def test_a_temperature_divides_the_logarithms():
    """At 2 by hand: square roots, made to add up to 1."""
    expected = np.sqrt([0.64, 0.36]) / 1.4
    assert soften(np.array([[0.64, 0.36]]), 2.0)[0] == pytest.approx(expected)
    assert soften(TEACHER, 1.0) == pytest.approx(TEACHER)
    assert np.isfinite(soften(np.array([[1.0, 0.0]]), 4.0)).all()


def test_the_loss_worked_out_by_hand():
    teacher, student, temperature = np.array([0.64, 0.36]), np.array([0.25, 0.75]), 2.0
    softened, own = np.sqrt(teacher) / 1.4, np.sqrt(student) / np.sqrt(student).sum()
    divergence = (softened * np.log(softened / own)).sum()
    expected = 0.7 * -np.log(0.25) + 0.3 * temperature**2 * divergence
    labels = [1, 0, *softened]
    assert loss_of(labels, student, temperature=2.0, share=0.3) == pytest.approx([expected], rel=1e-5)
    assert loss_of([1, 0], student, temperature=2.0, share=0.3) == pytest.approx([-np.log(0.25)], rel=1e-5)


def test_who_says_what_the_teacher_says_loses_nothing_by_it():
    labels = np.concatenate([np.eye(4), soften(TEACHER, 4.0)], axis=1)
    assert loss_of(labels, TEACHER, temperature=4.0, share=1.0) == pytest.approx(np.zeros(4), abs=1e-4)


def test_accuracy_is_that_of_the_true_classes():
    metric = AccuracyOfTruth(name="accuracy")
    metric.update_state(np.array([[1, 0, 0.1, 0.9], [0, 1, 0.9, 0.1]]), np.array([[0.8, 0.2], [0.3, 0.7]]))
    assert float(metric.result()) == 1


def test_each_repeated_image_has_what_the_teacher_says_of_it():
    plan = pd.DataFrame({"image_id": ["x", "y"], "label": ["b", "a"], "repeats": [2, 1], "weight": 1.0})
    taught = tabulate_probabilities(TEACHER[:3], NAMES).assign(image_id=["z", "y", "x"])
    images = teach(LabelledImages(PIXELS, np.zeros(3), np.zeros(3), np.ones(3)), plan, taught, NAMES, 1.0)
    assert images.taught == pytest.approx(TEACHER[[2, 2, 1]])


def fit(folder, monkeypatch, training: LabelledImages, **values):
    tiny.add(lambda *arguments: monkeypatch.setattr(*arguments, raising=False))
    shared = Recipe(weights="none", batch_size=16, epochs=12, learning_rate=0.01, precision="float32", dropout=0.0)
    recipe = resolve_recipe(tiny.NAME, shared, RecipeDifferences(patience=None, **values))
    journal = TrainingJournal(folder)
    journal.start({})
    validation = LabelledImages(PIXELS, np.arange(48, 64), CLASSES[48:], np.ones(16))
    return Trainer(tiny.NAME, recipe, NAMES, training, validation, {}, journal, seed=1).fit(), journal.history()


ALL = {"trainable": "all", "epochs": 14, "schedule": "cosine"}
ON_FEATURES = {"trainable": "head", "feature_views": 1, "epochs": 100, "learning_rate": 0.03}


@pytest.mark.parametrize("trained", [ALL, pytest.param(ON_FEATURES, marks=pytest.mark.slow)])
def test_a_students_loss_falls_to_the_teachers(tmp_path, monkeypatch, trained):
    """On images and on kept features: in the end it says of new images what the teacher would."""
    taught = soften(TEACHER, 4.0)[CLASSES[:48]]
    training = LabelledImages(PIXELS, np.arange(48), CLASSES[:48], np.ones(48), taught=taught)
    student, history = fit(
        tmp_path, monkeypatch, training, distillation={"teacher": "t", "temperature": 4.0, "share": 1.0}, **trained
    )
    loss_of_teacher = -np.log(TEACHER[CLASSES[48:], CLASSES[48:]]).mean()
    assert history["train_loss"].iloc[0] > 10 * history["train_loss"].min()
    assert history["validation_loss"].iloc[-1] == pytest.approx(loss_of_teacher, abs=0.12)
    assert history["train_accuracy"].max() == 1
    said = student.predict(PIXELS, np.arange(48, 64)).probabilities
    # who learned the true classes alone would be surer, and 0.13 away
    assert np.abs(said - TEACHER[CLASSES[48:]]).mean() < 0.08


def test_without_a_teacher_nothing_changes():
    recipe = resolve_recipe("vgg16", Recipe(), RecipeDifferences())
    assert "distillation" not in recipe.determining
    assert isinstance(recipe.distillation, type(None))


def test_a_share_must_be_one():
    with pytest.raises((InputError, ValueError), match="share"):
        RecipeDifferences(distillation={"teacher": "t", "share": 1.5})
