import io

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from leukoscope.synthetic import CLASSES, draw_smear
from leukoscope.training.augmentation import RandomAffine, build_augmentation
from leukoscope.training.augmentation_options import AugmentationRecipe
from leukoscope.training.camera import RandomBlur, RandomCompression, RandomNoise

SIZE = 50  # no multiple of eight


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Four drawn smears, ``float32 [4, 50, 50, 3]``."""
    drawn = [draw_smear(label, np.random.default_rng(n), SIZE) for n, label in enumerate(CLASSES)]
    return np.stack(drawn).astype("float32")


def change(layer: keras.layers.Layer, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(images, training=True))


LAYERS = [
    lambda seed: RandomBlur(blur=3.0, seed=seed),
    lambda seed: RandomNoise(noise=20.0, seed=seed),
    lambda seed: RandomCompression(compression=10, seed=seed),
]


@pytest.mark.parametrize("make", LAYERS)
def test_only_training_changes_images_and_each_by_the_seed(make, images):
    assert (keras.ops.convert_to_numpy(make(1)(images, training=False)) == images).all()
    same = np.repeat(images[:1], 4, axis=0)
    changed = change(make(1), same)
    assert changed.shape == same.shape
    assert 0 <= changed.min() <= changed.max() <= 255
    assert np.abs(changed - same).mean() > 0.5
    assert len({one.tobytes() for one in changed}) == 4
    assert (changed == change(make(1), same)).all()
    assert np.abs(changed - change(make(2), same)).mean() > 0.1


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_learns_nothing_and_is_compiled(make, images):
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), make(1), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=keras.backend.backend() != "torch")
    assert len(model.layers[0].trainable_weights) == 0
    assert np.isfinite(model.train_on_batch(images / 255, np.ones((4, 1))))


@pytest.mark.parametrize("deviation", [0.0, 0.7, 2.5])
def test_a_blur_is_that_of_scipy(images, monkeypatch, deviation):
    layer = RandomBlur(blur=1.0)
    monkeypatch.setattr(layer, "_draw", lambda images, *ends: np.full((4, 1, 1, 1), deviation, "float32"))
    expected = gaussian_filter(images, (0, deviation, deviation, 0), truncate=8) if deviation else images
    assert change(layer, images) == pytest.approx(expected, abs=0.02)


def test_a_blur_of_each_image_is_drawn_up_to_the_largest():
    points = np.zeros((300, 33, 33, 3), "float32")
    points[:, 16, 16] = 255
    heights = change(RandomBlur(blur=2.0), points)[:, 16, 16, 0] / 255
    assert heights.min() == pytest.approx(1 / (2 * np.pi * 2.0**2), rel=0.1)
    assert heights.max() == pytest.approx(1, abs=0.01)


def test_noise_is_as_strong_as_asked_and_of_each_pixel():
    changed = change(RandomNoise(noise=20.0), np.full((200, 16, 16, 3), 128, "float32")) - 128
    spread = changed.std(axis=(1, 2, 3))
    assert spread.min() < 2
    assert spread.max() == pytest.approx(20, abs=2)
    assert np.abs(changed.mean()) < 0.2
    loudest = changed[spread.argmax()]
    assert np.abs(np.corrcoef(loudest.reshape(-1, 3).T)[np.triu_indices(3, 1)]).max() < 0.25


@pytest.mark.parametrize("quality", [10, 40, 80, 100])
def test_compression_loses_what_libjpeg_loses(images, monkeypatch, quality):
    layer = RandomCompression(compression=quality)
    monkeypatch.setattr(layer, "_draw", lambda images, *ends: np.full((4, 1, 1, 1), quality, "float32"))
    changed = change(layer, images)
    for ours, original in zip(changed, images, strict=True):
        content = io.BytesIO()
        Image.fromarray(original.astype(np.uint8)).save(content, "JPEG", quality=quality, subsampling=0)
        expected = np.asarray(Image.open(content)).astype(float)
        lost = np.abs(expected - original).mean()
        assert np.abs(ours - original).mean() == pytest.approx(lost, rel=0.15, abs=0.5)
        assert np.abs(ours - expected).mean() < 0.2 * lost + 0.8


def test_qualities_are_drawn_from_the_lowest_to_the_best(images):
    many = np.repeat(images[:1], 200, axis=0)
    steps = keras.ops.convert_to_numpy(RandomCompression(compression=30)._draw_steps(many))[:, 0, 7, 7]
    assert steps.min() <= 5
    assert 150 <= steps.max() <= 99 * 5000 / 30 / 100 + 1


def test_the_camera_is_only_there_where_asked():
    assert [type(layer) for layer in build_augmentation(1, rotation=5.0).layers] == [RandomAffine]
    whole = build_augmentation(1, blur=1.0, noise=5.0, compression=40.0).layers
    assert [type(layer) for layer in whole] == [RandomAffine, RandomBlur, RandomNoise, RandomCompression]
    assert len({layer.generator.get_config()["seed"] for layer in whole}) == 4


def test_trainings_without_it_keep_their_keys():
    before = {"horizontal_flip", "vertical_flip", "rotation", "zoom", "shift", "stain", "brightness", "grey"}
    assert set(AugmentationRecipe().drawn) == before
    assert set(AugmentationRecipe(blur=0, noise=0, compression=None).drawn) == before
    assert set(AugmentationRecipe(noise=5).drawn) == before | {"noise"}
    assert AugmentationRecipe(compression=40, blur=1).drawn.items() >= {"compression": 40.0, "blur": 1.0}.items()
