"""The networks' shapes and numbers, and that they depend on the class. None of them trains here."""

import keras
import numpy as np
import pytest

from leukoscope.generation.learner import draw_weights, predict_in_parts
from leukoscope.generation.networks import NOISE, SIDE, build_discriminator, build_generator, build_unet


def test_a_dcgan_without_norms_and_classes_has_the_known_number_of_parameters():
    assert build_generator(normalised=False).count_params() == 3_583_427
    assert build_discriminator(normalised=False).count_params() == 2_764_737


def test_norms_add_what_they_have_and_no_more():
    norms = [layer for layer in build_generator().layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [layer.gamma.shape[0] for layer in norms] == [512, 256, 128, 64]
    wrapped = build_discriminator()
    kinds = [type(layer) for layer in wrapped.layers if layer.weights]
    assert kinds == [keras.layers.SpectralNormalization] * 5
    trained = sum(int(np.prod(variable.shape)) for variable in wrapped.trainable_variables)
    assert trained == 2_764_737


def test_the_unet_has_the_channels_and_the_attention_that_are_asked_for():
    unet = build_unet(4)
    blocks = {layer.output.shape[1:] for layer in unet.layers if isinstance(layer, keras.layers.Conv2D)}
    assert {(64, 64, 32), (32, 32, 64), (16, 16, 128)} <= blocks
    attention = [layer for layer in unet.layers if isinstance(layer, keras.layers.MultiHeadAttention)]
    assert [layer.output.shape[1:] for layer in attention] == [(16 * 16, 128)]
    assert unet.output.shape[1:] == (SIDE, SIDE, 3)


def test_the_unet_starts_by_saying_that_there_is_no_noise(rng):
    unet = build_unet(4)
    said = unet.predict_on_batch(
        [rng.standard_normal((2, SIDE, SIDE, 3)), rng.standard_normal((2, 64)), np.array([0, 3], "int32")]
    )
    assert (said == 0).all()


def test_networks_depend_on_the_class(rng):
    unet, generator, discriminator = build_unet(4), build_generator(4), build_discriminator(4)
    for model in (unet, generator, discriminator):
        for variable in model.trainable_variables:
            if variable.name != "gamma":  # which would weaken everything before it
                variable.assign(rng.normal(0, 0.05, variable.shape))
    image = np.repeat(rng.standard_normal((1, SIDE, SIDE, 3)), 2, axis=0).astype("float32")
    step, noise = np.ones((2, 64), "float32"), np.ones((2, NOISE), "float32")
    for model, *inputs in ((unet, image, step), (generator, noise), (discriminator, image)):
        same, other = (predict_in_parts(model, *inputs, np.array(kinds, "int32")) for kinds in ([1, 1], [1, 2]))
        assert same[0] == pytest.approx(same[1], abs=1e-5)
        assert np.abs(other[0] - other[1]).max() > 1e-4


def test_a_seed_determines_the_weights():
    drawn = []
    for seed in (1, 1, 2):
        model = build_discriminator(4)
        draw_weights(model, seed, 0.02)
        drawn.append(np.concatenate([np.ravel(values) for values in model.get_weights()]))
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_predictions_in_parts_are_those_at_once(rng):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    values = rng.standard_normal((130, 3)).astype("float32")
    at_once = keras.ops.convert_to_numpy(model(values))
    assert predict_in_parts(model, values) == pytest.approx(at_once, abs=1e-6)
    assert predict_in_parts(model, values[:5]) == pytest.approx(at_once[:5], abs=1e-6)
