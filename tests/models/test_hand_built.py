"""The architectures that are built here: their sizes, layer by layer, and the pieces that Keras does not have."""

import keras
import numpy as np
import pytest
from keras import layers

from leukoscope.models import architecture
from leukoscope.models.network import build_classifier
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe


def build_trunk(name: str, size: int) -> keras.Model:
    keras.utils.clear_session()
    row = architecture.get(name)
    return row.build(row.preprocess(keras.Input((size, size, 3))), None)


def count_trainable(model: keras.Model) -> int:
    return sum(int(np.prod(one.shape)) for one in model.trainable_variables)


def sides(trunk: keras.Model, *names: str) -> list[int]:
    return [trunk.get_layer(name).output.shape[1] for name in names]


class TestResNeXt:
    @pytest.mark.parametrize("name", ["resnext50", "se_resnext50"])
    def test_has_the_published_sizes(self, name):
        trunk = build_trunk(name, 224)
        assert count_trainable(trunk) == architecture.get(name).parameters
        ends = [f"layer{stage}_{last}_out" for stage, last in ((1, 2), (2, 3), (3, 5), (4, 2))]
        assert sides(trunk, "conv1", "pool1", *ends) == [112, 56, 56, 28, 14, 7]
        assert trunk.output_shape == (None, 7, 7, 2048)

    def test_a_crop_of_300_pixels_ends_in_10x10(self):
        assert build_trunk("se_resnext50", 300).output_shape[1:3] == (10, 10)

    def test_each_branch_starts_at_zero_before_its_attention(self, class_names):
        recipe = resolve_recipe("se_resnext50", Recipe(weights="none", input_size=32), RecipeDifferences())
        network = build_classifier("se_resnext50", recipe, class_names, seed=0).network
        norms = {one.name: one for one in network.layers if isinstance(one, layers.BatchNormalization)}
        silent = {name for name, norm in norms.items() if not keras.ops.any(norm.gamma != 0)}
        assert silent == {name for name in norms if name.endswith("conv3_bn")}
        assert len(silent) == 16
