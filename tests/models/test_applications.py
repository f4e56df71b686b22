import keras
import pytest
from keras import layers

from leukoscope.models.applications import _as_depthwise, _replace


@pytest.mark.parametrize("options", [{}, {"strides": 2, "padding": "same", "use_bias": False, "activation": "relu"}])
def test_a_convolution_of_as_many_groups_as_channels_is_made_depthwise(options, rng):
    inner = keras.Sequential([layers.Conv2D(8, 3, name="inner")], name="nested")
    grouped = layers.Conv2D(8, 3, groups=8, kernel_regularizer="l2", name="grouped", **options)
    others = [layers.Conv2D(8, 1, groups=2, name="two_groups"), inner]
    image = keras.Input((12, 12, 3))
    end = layers.Conv2D(8, 1, name="first")(image)
    for layer in (grouped, *others):
        end = layer(end)
    trunk = keras.Model(image, end)
    copy = _replace(trunk, _as_depthwise)
    kinds = {layer.name: type(layer) for layer in copy.layers}
    assert kinds["grouped"] is layers.DepthwiseConv2D
    assert kinds["first"] is kinds["two_groups"] is layers.Conv2D
    assert isinstance(copy.get_layer("grouped").depthwise_regularizer, keras.regularizers.L2)
    images = rng.normal(size=(2, 12, 12, 3)).astype("float32")
    ours, theirs = (keras.ops.convert_to_numpy(model(images)) for model in (copy, trunk))
    assert ours == pytest.approx(theirs, abs=1e-5)
