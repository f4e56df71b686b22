import keras
import numpy as np
import pytest

from leukoscope.images.augmentation import RandomAffine


@pytest.fixture
def images(rng) -> np.ndarray:
    """Eight smooth images, ``[8, 33, 33, 3]``."""
    coarse = rng.uniform(0, 255, (8, 5, 5, 3)).astype("float32")
    return keras.ops.convert_to_numpy(keras.ops.image.resize(coarse, (33, 33), interpolation="bilinear"))


def warp(images, **limits) -> np.ndarray:
    layer = RandomAffine(**({"horizontal_flip": False} | limits), seed=1)
    return keras.ops.convert_to_numpy(layer(images, training=True))


def test_outside_training_nothing_changes(images):
    layer = RandomAffine(rotation=30, zoom=0.2, shift=0.2)
    assert (keras.ops.convert_to_numpy(layer(images, training=False)) == images).all()


def test_without_limits_nothing_changes(images):
    assert warp(images) == pytest.approx(images, abs=1e-3)


def test_half_of_the_images_are_mirrored_and_the_others_not(rng):
    images = rng.uniform(0, 255, (64, 9, 9, 3)).astype("float32")
    warped = warp(images, horizontal_flip=True)
    mirrored = np.array([np.allclose(w, i[:, ::-1], atol=1e-2) for w, i in zip(warped, images, strict=True)])
    kept = np.array([np.allclose(w, i, atol=1e-2) for w, i in zip(warped, images, strict=True)])
    assert (mirrored ^ kept).all()
    assert 16 < mirrored.sum() < 48


def test_vertical_flips_turn_top_and_bottom(rng):
    images = rng.uniform(0, 255, (64, 9, 9, 3)).astype("float32")
    warped = warp(images, vertical_flip=True)
    turned = sum(np.allclose(w, i[::-1], atol=1e-2) for w, i in zip(warped, images, strict=True))
    assert 16 < turned < 48


@pytest.mark.parametrize("limits", [{"rotation": 20.0}, {"zoom": 0.2}])
def test_rotation_and_zoom_leave_the_centre_in_place(images, limits):
    warped = warp(images, **limits)
    assert warped[:, 16, 16] == pytest.approx(images[:, 16, 16], abs=1)
    assert np.abs(warped - images).mean() > 2


def test_a_rotation_is_within_its_limit():
    images = np.zeros((64, 101, 101, 1), "float32")
    images[:, 50, 95] = 1000.0
    warped = warp(images, rotation=20.0)
    rows, columns = zip(*(np.unravel_index(one.argmax(), one.shape[:2]) for one in warped), strict=True)
    angles = np.degrees(np.arctan2(np.array(rows) - 50, np.array(columns) - 50))
    assert np.abs(angles).max() <= 21
    assert angles.min() < -10
    assert angles.max() > 10


def test_a_shift_is_within_its_limit():
    images = np.zeros((64, 101, 101, 1), "float32")
    images[:, 50, 50] = 1000.0
    warped = warp(images, shift=0.1)
    places = np.array([np.unravel_index(one.argmax(), one.shape[:2]) for one in warped]) - 50
    assert 8 <= np.abs(places).max() <= 11


def test_every_call_and_image_is_drawn_anew(images):
    layer = RandomAffine(rotation=30, seed=1)
    same = np.repeat(images[:1], 8, axis=0)
    first, second = (keras.ops.convert_to_numpy(layer(same, training=True)) for _ in range(2))
    assert np.abs(first - second).mean() > 1
    assert np.abs(first[0] - first[1]).mean() > 1
