"""Images mixed with others, and their labels by the same shares."""

from functools import partial

import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.images.batches import TrainingBatches
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.mixing import Mixing
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer

COUNT = 200


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of one grey each, so that the share of either is seen in every pixel, with weights of 1 and 3."""
    classes = np.arange(COUNT) % 2
    images = np.broadcast_to((classes * 200).astype("uint8")[:, None, None, None], (COUNT, 20, 30, 3))
    return images, np.eye(2, dtype="float32")[classes], (1 + 2 * classes).astype("float32")


@pytest.mark.parametrize("alphas", [{"mixup": 0.4}, {"cutmix": 1.0}])
def test_both_losses_have_the_shares_of_the_pixels_and_their_own_weights(batch, alphas, rng):
    images, labels, weights = Mixing(**alphas)(rng, *batch)
    assert images.dtype == np.uint8
    share = images.mean(axis=(1, 2, 3)) / 200
    assert labels.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert labels * weights[:, None] == pytest.approx(np.stack([1 - share, 3 * share], axis=1), abs=0.01)
    assert ((labels > 0.05) & (labels < 0.95)).any()


def test_what_a_teacher_says_is_mixed_as_labels_are(batch, rng):
    """Its columns stand behind the labels, and both add up to 1."""
    images, labels, weights = batch
    mixed = Mixing(mixup=0.4)(rng, images, np.concatenate([labels, labels[:, ::-1]], axis=1), weights)
    share = mixed[0].mean(axis=(1, 2, 3)) / 200
    truth, taught = mixed[1][:, :2], mixed[1][:, 2:]
    assert truth.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert taught == pytest.approx(truth[:, ::-1], abs=1e-6)
    assert mixed[2] == pytest.approx(1 + 2 * share, abs=0.02)


def test_mixup_adds_up_and_cutmix_pastes_one_rectangle(batch, rng):
    added, _, _ = Mixing(mixup=1.0)(rng, *batch)
    assert (np.ptp(added, axis=(1, 2)) == 0).all()
    pasted, labels, _ = Mixing(cutmix=1.0)(rng, *batch[:2], np.ones(COUNT, "float32"))
    assert set(np.unique(pasted)) == {0, 200}
    own = np.arange(COUNT) % 2
    for image, label, number in zip(pasted[..., 0], labels, own, strict=True):
        rows, columns = np.nonzero(image != 200 * number)
        if len(rows):
            area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert area == len(rows)
            assert 1 - area / image.size == pytest.approx(label[number], abs=1e-5)


def test_shares_are_of_the_beta_distribution(batch, rng):
    equal = (*batch[:2], np.ones(COUNT, "float32"))
    labels = np.concatenate([Mixing(mixup=0.5)(rng, *equal)[1] for _ in range(20)])
    mixed = labels[:, 1][(labels[:, 1] > 0) & (labels[:, 1] < 1)]
    assert mixed.var() == pytest.approx(1 / (4 * (2 * 0.5 + 1)), rel=0.1)


def test_with_both_each_takes_half_of_the_batches(batch, rng):
    pasted = [len(np.unique(Mixing(mixup=1.0, cutmix=1.0)(rng, *batch)[0])) == 2 for _ in range(60)]
    assert 15 < sum(pasted) < 45


def test_a_batch_is_mixed_alike_again_and_otherwise_in_another_epoch(batch):
    images, labels, weights = batch
    classes = labels.argmax(axis=1)
    batches = TrainingBatches(images, np.arange(COUNT), classes, weights, n_classes=2, batch_size=50, seed=3)
    batches.changes = [Mixing(mixup=1.0)]
    first, again = batches[1], batches[1]
    assert all((one == other).all() for one, other in zip(first, again, strict=True))
    assert (batches[2][1] != first[1]).any()
    batches.go_to(1)
    assert (batches[1][1] != first[1]).any()


@pytest.mark.parametrize("held", [False, True])
def test_a_training_mixes_what_it_sees_and_nothing_that_validates(monkeypatch, tmp_path, rng, held):
    tiny.add(partial(monkeypatch.setattr, raising=False))
    monkeypatch.setattr("leukoscope.backend.memory.has_room_for", lambda size: held)
    classes = np.arange(48) % 4
    pixels = rng.integers(0, 256, (48, 32, 32, 3)).astype("uint8")
    rows = np.arange(48)
    images = LabelledImages(pixels, rows, classes, np.ones(48))
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none", epochs=1), RecipeDifferences())
    augmentation = {"rotation": 5.0, "mixup": 1.0}
    trainer = Trainer(tiny.NAME, recipe, list("abcd"), images, images, augmentation, TrainingJournal(tmp_path), 1)
    _, batches, validation = trainer.assemble(recipe.phases[0])
    assert ((batches[0][1] > 0) & (batches[0][1] < 1)).any()
    assert set(np.unique(validation[0][1])) == {0, 1}
