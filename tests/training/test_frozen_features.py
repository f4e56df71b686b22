import keras
import numpy as np
import pytest
from keras import layers

from leukoscope.training.augmentation import build_augmentation
from leukoscope.training.frozen_features import Features, keep_features
from leukoscope.training.labelled import LabelledImages

SIZE, COUNT = 16, 10


@pytest.fixture
def images(rng) -> LabelledImages:
    coarse = rng.integers(0, 256, (COUNT, 4, 4, 3), np.uint8)
    pixels = coarse.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    return LabelledImages(pixels, np.arange(COUNT)[::-1], np.zeros(COUNT, int), np.ones(COUNT))


@pytest.fixture
def keep(images, tmp_path):
    """Keep the features of images, their colours in four by four fields, by a base that would drop some in training."""
    inputs = keras.Input((None, None, 3))
    outputs = layers.Dropout(0.5)(layers.Resizing(SIZE, SIZE, name="resize")(inputs))
    network = keras.Model(inputs, layers.Flatten(name="features")(layers.AveragePooling2D(4)(outputs)))

    def run(views: int, **geometry: float) -> Features:
        augment = build_augmentation(0, horizontal_flip=False, **geometry)
        return keep_features(tmp_path / "features", {"views": views}, network, images, images, augment, views, 4)

    return run


def test_views_that_nothing_augments_are_the_images(keep, images):
    features = keep(3)
    assert features.validation == pytest.approx(images.pixels[::-1, ::4, ::4].reshape(COUNT, -1), abs=1e-2)
    assert features.training == pytest.approx(features.validation[:, None].repeat(3, axis=1), abs=1e-2)


def test_each_view_of_an_image_is_another_one(keep):
    features = keep(3, shift=0.1, rotation=5.0)
    assert (np.ptp(features.training, axis=1).max(axis=1) > 1).all()
    distances = np.linalg.norm(features.training[:, :, None] - features.validation, axis=-1)
    assert (distances.argmin(axis=-1) == np.arange(COUNT)[:, None]).all()
