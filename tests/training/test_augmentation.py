import keras
import numpy as np
import pytest

from leukoscope.backend import kernels
from leukoscope.training.augmentation import RandomAffine, RandomStain, build_augmentation


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


def test_an_image_is_resampled_as_keras_does_it(images):
    layer = RandomAffine(vertical_flip=True, rotation=25.0, zoom=0.3, shift=0.4, seed=2)
    matrices = layer._draw_matrices(keras.ops.convert_to_tensor(images))
    ours = keras.ops.convert_to_numpy(kernels.warp(keras.ops.convert_to_tensor(images), matrices))
    expected = keras.ops.image.affine_transform(images, matrices, interpolation="bilinear", fill_mode="reflect")
    assert ours == pytest.approx(keras.ops.convert_to_numpy(expected), abs=0.01)


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


def stain(images, **limits) -> np.ndarray:
    return keras.ops.convert_to_numpy(RandomStain(**limits, seed=1)(images, training=True))


def test_a_model_that_asks_for_xla_trains(images):
    augmentation = build_augmentation(0, rotation=5.0, stain=0.2)
    model = keras.Sequential([keras.Input((33, 33, 3)), augmentation, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=True)
    assert np.isfinite(model.train_on_batch(images / 255, np.ones((8, 1))))


def test_stain_changes_nothing_outside_training_or_without_limits(images):
    assert (keras.ops.convert_to_numpy(RandomStain(stain=0.5, grey=1.0)(images, training=False)) == images).all()
    assert stain(images) == pytest.approx(images, abs=0.05)


def test_stain_leaves_the_form_and_changes_the_colour(images):
    images = images[..., :1] * np.array([0.9, 0.6, 0.8], "float32")  # one dye of many strengths
    changed = stain(images, stain=0.3)
    assert np.abs(changed - images).mean() > 3
    assert changed.min() >= 0
    assert changed.max() <= 255
    for ours, theirs in zip(changed, images, strict=True):
        assert np.corrcoef(ours.mean(axis=2).ravel(), theirs.mean(axis=2).ravel())[0, 1] > 0.95


def test_each_image_has_a_stain_of_its_own():
    alike = np.full((6, 4, 4, 3), [180, 120, 190], "float32")
    assert len({tuple(one[0, 0].round(1)) for one in stain(alike, stain=0.2)}) == 6


def test_a_dye_is_scaled_as_scikit_image_takes_it_apart():
    from skimage.color import rgb2hed

    pure = np.full((200, 1, 1, 3), 256 * np.exp(-np.array([0.65, 0.70, 0.29]) * 0.8) - 1, "float32")
    changed = stain(pure, stain=0.2)
    before, after = (rgb2hed(one / 255)[:, 0, 0, 0] for one in (pure, changed))
    scales = after / before
    assert scales.min() == pytest.approx(0.79, abs=0.04)
    assert scales.max() == pytest.approx(1.21, abs=0.04)


def test_light_multiplies_all_channels_alike():
    grey = np.full((300, 1, 1, 3), [60.0, 90.0, 120.0], "float32")
    factors = stain(grey, brightness=0.3)[:, 0, 0] / grey[:, 0, 0]
    assert np.ptp(factors, axis=1).max() < 0.02
    assert factors.min() == pytest.approx(0.7, abs=0.02)
    assert factors.max() == pytest.approx(1.3, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_so_many_lose_their_colour(rng, share):
    images = rng.uniform(0, 255, (200, 3, 3, 3)).astype("float32")
    changed = stain(images, grey=share)
    pale = (np.ptp(changed, axis=3).max(axis=(1, 2)) < 0.1).mean()
    assert pale == pytest.approx(share, abs=0.1)


def test_colour_is_only_changed_where_asked():
    assert [type(layer) for layer in build_augmentation(1, rotation=5.0).layers] == [RandomAffine]
    for asked in ({"grey": 0.1}, {"stain": 0.1}, {"brightness": 0.1}):
        assert [type(layer) for layer in build_augmentation(1, **asked).layers] == [RandomAffine, RandomStain]
