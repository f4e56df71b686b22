"""Layers of networks that read single cells; a test of backends runs this file under each."""

import keras
import numpy as np
import pytest

from leukoscope.models.cell_layers import (
    BoundedCellPooling,
    CellPooling,
    CutStrip,
    FilledSlots,
    Luminance,
    SlotVectors,
    join_strip,
)

GREY = 230


@pytest.fixture
def strips(rng) -> np.ndarray:
    """Two strips of four slots, of which the last of the first, and the last two of the second, are free."""
    crops = rng.integers(0, 256, (2, 4, 6, 6, 3)).astype("float32")
    crops[0, 3:] = crops[1, 2:] = GREY
    return crops.reshape(2, 24, 6, 3)


@pytest.fixture
def pooling(rng) -> CellPooling:
    """Weighs cells, as after some training."""
    layer = CellPooling(units=8, seed=1)
    layer.build((None, 5), (None, 4))
    layer.scale.assign(rng.normal(0, 3, (8, 1)))
    return layer


def as_array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def pool(layer, vectors, filled) -> np.ndarray:
    return as_array(layer(vectors.astype("float32"), np.asarray(filled, "float32")))


def test_strips_are_taken_apart_and_put_together(strips):
    crops = as_array(CutStrip()(strips))
    assert np.array_equal(crops, strips.reshape(8, 6, 6, 3))
    assert np.array_equal(
        as_array(join_strip(keras.ops.convert_to_tensor(crops), keras.ops.convert_to_tensor(strips))), strips
    )


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_free_slot_is_grey_again_whatever_was_done_to_it(strips, dtype, rng):
    before = keras.Input((24, 6, 3), dtype=dtype)
    changed = keras.Input((9, 9, 3))
    joined = keras.Model([before, changed], join_strip(changed, before))
    noisy = rng.integers(0, 256, (8, 9, 9, 3)).astype("float32")
    crops = as_array(joined([strips.astype(dtype), noisy])).reshape(2, 4, 9, 9, 3)
    assert np.array_equal(crops[0, :3], noisy[:3])
    assert np.array_equal(crops[1, :2], noisy[4:6])
    assert np.unique(crops[[0, 1, 1], [3, 2, 3]]).tolist() == [GREY]


def test_a_slot_of_one_colour_is_free(strips):
    assert as_array(FilledSlots()(strips)).tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    faint = np.full((1, 12, 6, 3), GREY, "float32")
    faint[0, 2, 3, 1] -= 0.5
    faint[0, 8, 3, 1] -= 1.0
    assert as_array(FilledSlots()(faint)).tolist() == [[0, 1]]


def test_symbolic_shapes_are_those_of_what_comes(strips):
    images = keras.Input((24, 6, 3))
    outputs = [CutStrip()(images), FilledSlots()(images), Luminance()(images)]
    assert [tensor.shape for tensor in outputs] == [(None, 6, 6, 3), (None, 4), (None, 24, 6, 3)]
    images = keras.Input((None, None, 3))
    model = keras.Model(images, [CutStrip()(images), FilledSlots()(images), Luminance()(images)])
    assert [tensor.shape for tensor in model.outputs] == [(None, None, None, 3), (None, None), (None, None, None, 3)]
    crops, filled, grey = model.predict_on_batch(strips)
    assert (crops.shape, filled.shape, grey.shape) == ((8, 6, 6, 3), (2, 4), strips.shape)


def test_luminance_leaves_no_colour():
    image = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [80, 80, 80]]]], "float32")
    grey = as_array(Luminance()(image))
    assert grey[0, 0, :, 0] == pytest.approx([76.245, 149.685, 29.07, 80], abs=1e-3)
    assert np.ptp(grey, axis=-1).max() == 0


def test_the_mean_leaves_free_slots_out(rng):
    vectors = rng.normal(size=(2, 3, 5))
    filled = [[1, 0, 1], [0, 0, 0]]
    pooled = pool(CellPooling("mean"), vectors, filled)
    assert pooled[0] == pytest.approx(vectors[0, [0, 2]].mean(axis=0), abs=1e-6)
    assert pooled[1].tolist() == [0] * 5


def test_attention_begins_as_the_mean(rng):
    vectors, filled = rng.normal(size=(2, 3, 5)), [[1, 0, 1], [1, 1, 1]]
    assert pool(CellPooling(seed=1), vectors, filled) == pytest.approx(
        pool(CellPooling("mean"), vectors, filled), abs=1e-6
    )


def test_attention_is_as_ilse_2018_have_it(pooling, rng):
    vectors = rng.normal(size=(1, 4, 5)).astype("float32")
    content, gate, scale = (as_array(weights) for weights in (pooling.content, pooling.gate, pooling.scale))
    scores = (np.tanh(vectors[0] @ content) / (1 + np.exp(-vectors[0] @ gate))) @ scale[:, 0]
    weights = np.exp(scores) / np.exp(scores).sum()
    assert np.ptp(weights) > 0.1
    weighed = pooling.weigh(*(keras.ops.convert_to_tensor(one) for one in (vectors, np.ones((1, 4), "float32"))))
    assert as_array(weighed)[0] == pytest.approx(weights, abs=1e-5)
    assert pool(pooling, vectors, np.ones((1, 4)))[0] == pytest.approx(weights @ vectors[0], abs=1e-5)


def test_neither_order_nor_free_slots_matter(pooling, rng):
    vectors, filled = rng.normal(size=(3, 4, 5)), np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    expected = pool(pooling, vectors, filled)
    order = [2, 3, 0, 1]
    assert pool(pooling, vectors[:, order], filled[:, order]) == pytest.approx(expected, abs=1e-6)
    wider, more = np.pad(vectors, ((0, 0), (2, 3), (0, 0)), constant_values=99), np.pad(filled, ((0, 0), (2, 3)))
    assert pool(pooling, wider, more) == pytest.approx(expected, abs=1e-6)
    assert expected[2].tolist() == [0] * 5


def test_scores_far_from_zero_are_weighed(pooling):
    pooling.scale.assign(np.full((8, 1), 1e4))
    vectors = np.eye(4, 5)[None] * 30
    assert np.isfinite(pool(pooling, vectors, np.ones((1, 4)))).all()


def test_vectors_of_a_list_are_pooled_as_those_of_a_table(pooling, rng):
    vectors, filled = rng.normal(size=(2, 4, 5)), np.ones((2, 4))
    assert np.array_equal(pool(pooling, vectors.reshape(8, 5), filled), pool(pooling, vectors, filled))
    joined = as_array(SlotVectors()(vectors.reshape(8, 5).astype("float32"), filled.astype("float32")))
    assert joined.shape == (2, 4, 6)
    assert joined[..., :5] == pytest.approx(vectors, abs=1e-6)


def test_it_is_made_again_from_what_it_says_of_itself():
    layer = CellPooling("attention", units=16, seed=3)
    assert CellPooling.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("kind", ["attention", "mean"])
def test_what_is_exported_pools_alike(pooling, rng, kind):
    layer = pooling if kind == "attention" else CellPooling("mean")
    exported = BoundedCellPooling.from_config(layer.get_config())
    exported.build((None, 5), (None, 4))
    exported.set_weights(layer.get_weights())
    vectors = rng.normal(0, 3, (4, 4, 5))
    filled = [[1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert pool(exported, vectors, filled) == pytest.approx(pool(layer, vectors, filled), abs=1e-6)
    assert not pool(exported, vectors, filled)[3].any()
