"""The architectures that are built here: their sizes, layer by layer, and the pieces that Keras does not have."""

import keras
import numpy as np
import pytest
from keras import layers

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.network import build_classifier, set_trainable
from leukoscope.training.recipe import Recipe, RecipeDifferences, require_weights, resolve_recipe


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

    @pytest.mark.slow
    def test_a_crop_of_300_pixels_ends_in_10x10(self):
        assert build_trunk("se_resnext50", 300).output_shape[1:3] == (10, 10)

    def test_each_branch_starts_at_zero_before_its_attention(self, class_names):
        recipe = resolve_recipe("se_resnext50", Recipe(weights="none", input_size=32), RecipeDifferences())
        network = build_classifier("se_resnext50", recipe, class_names, seed=0).network
        norms = {one.name: one for one in network.layers if isinstance(one, layers.BatchNormalization)}
        silent = {name for name, norm in norms.items() if not keras.ops.any(norm.gamma != 0)}
        assert silent == {name for name in norms if name.endswith("conv3_bn")}
        assert len(silent) == 16


class TestAlexNet:
    @pytest.mark.parametrize(
        ("name", "size", "weights"),
        [
            ("alexnet", 227, [34_944, 307_456, 885_120, 663_936, 442_624]),
            ("alexnet_owt", 224, [23_296, 307_392, 663_936, 884_992, 590_080]),
        ],
    )
    def test_has_the_published_sizes(self, name, size, weights):
        trunk = build_trunk(name, size)
        assert [trunk.get_layer(f"conv{number}").count_params() for number in range(1, 6)] == weights
        assert sides(trunk, "conv1", "pool1", "pool2", "conv5", "pool5") == [55, 27, 13, 13, 6]
        assert sum(trunk.get_layer(name).count_params() for name in ("fc6", "fc7")) == 54_534_144
        assert count_trainable(trunk) == architecture.get(name).parameters
        assert trunk.output_shape == (None, 4096)
        assert "resample" not in [layer.name for layer in trunk.layers]

    @pytest.mark.parametrize("name", ["alexnet", "alexnet_owt"])
    def test_images_of_another_size_are_brought_to_the_dense_layers(self, name):
        trunk = build_trunk(name, architecture.get(name).smallest_input)
        assert sides(trunk, "pool5", "resample") == [1, 6]
        assert count_trainable(trunk) == architecture.get(name).parameters

    def test_a_pixel_less_than_the_smallest_input_is_too_small(self):
        for name in ("alexnet", "alexnet_owt"):
            with pytest.raises(ValueError, match="pool"):
                build_trunk(name, architecture.get(name).smallest_input - 1)


class TestGoogLeNet:
    @pytest.mark.parametrize("name", ["googlenet", "googlenet_bn"])
    def test_has_the_published_sizes(self, name):
        trunk = build_trunk(name, 224)
        modules = [f"inception{module}_out" for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
        channels = [trunk.get_layer(module).output.shape[-1] for module in modules]
        assert channels == [256, 480, 512, 512, 512, 528, 832, 832, 1024]
        assert sides(trunk, "conv1", "pool1", "conv3", "pool2", "pool3", "pool4") == [112, 56, 56, 28, 14, 7]
        assert trunk.output_shape == (None, 7, 7, 1024)
        assert count_trainable(trunk) == architecture.get(name).parameters

    @pytest.mark.slow
    def test_torchvision_has_moving_statistics_and_small_kernels(self):
        trunk = build_trunk("googlenet_bn", 64)
        assert trunk.count_params() + 1024 * 1000 + 1000 == 6_639_464
        assert trunk.get_layer("inception3a_5x5").kernel_size == (3, 3)
        assert build_trunk("googlenet", 64).get_layer("inception3a_5x5").kernel_size == (5, 5)


class TestStainNetworks:
    def test_the_first_has_the_published_sizes(self):
        trunk = build_trunk("sdct_cnn", 350)
        assert sides(trunk, "conv1", "conv2", "pool2", "pool3", "pool4", "pool5", "conv6") == [
            174,
            174,
            87,
            43,
            21,
            10,
            10,
        ]
        convolutions = [layer for layer in trunk.layers if isinstance(layer, layers.Conv2D)]
        assert sum(layer.count_params() for layer in convolutions) == 86_688
        assert trunk.get_layer("stains").count_params() == 9
        assert trunk.output_shape == (None, 4096)
        assert count_trainable(trunk) == architecture.get("sdct_cnn").parameters == 103_565 - 4 * 4097

    def test_the_second_has_two_branches_of_one_size(self):
        trunk = build_trunk("leukonet_style", 224)
        branches = [
            sum(int(np.prod(one.shape)) for one in trunk.trainable_variables if one.path.startswith(prefix))
            for prefix in ("od_", "dct_")
        ]
        assert branches == [897_504, 897_504]
        assert count_trainable(trunk) == architecture.get("leukonet_style").parameters
        assert trunk.count_params() + 4 * 513 == 2_325_956
        assert trunk.output_shape == (None, 512)

    @pytest.mark.parametrize("name", ["sdct_cnn", "leukonet_style"])
    def test_mixed_precision_leaves_the_first_layers_exact(self, name, class_names):
        recipe = resolve_recipe(name, Recipe(weights="none", input_size=48), RecipeDifferences())
        network = build_classifier(name, recipe, class_names, 0, "mixed_bfloat16").network
        precise = {"optical_density", "stains", "frequencies", "bilinear"} & {layer.name for layer in network.layers}
        assert len(precise) >= 2
        assert {network.get_layer(layer).compute_dtype for layer in precise} == {"float32"}
        convolutions = {layer.compute_dtype for layer in network.layers if isinstance(layer, layers.Conv2D)}
        assert convolutions == {"bfloat16"}


class TestFourLayers:
    @pytest.mark.parametrize("name", ["four_layer_cnn", "four_layer_cnn_unmasked"])
    def test_has_the_sizes_worked_out(self, name):
        trunk = build_trunk(name, 128)
        assert sides(trunk, "pool1", "pool2", "pool3", "pool4") == [64, 32, 16, 8]
        convolutions = [layer for layer in trunk.layers if isinstance(layer, layers.Conv2D)]
        assert sum(layer.count_params() for layer in convolutions) == 97_440
        assert count_trainable(trunk) == architecture.get(name).parameters

    def test_sees_nuclei_or_all(self):
        fields = np.zeros((2, 32, 32, 3), "float32")
        fields[1] = 255, 40, 90  # no hue of nuclei
        for name, differs in (("four_layer_cnn", False), ("four_layer_cnn_unmasked", True)):
            features = keras.ops.convert_to_numpy(build_trunk(name, 32)(fields))
            assert (np.abs(features[0] - features[1]).max() > 1e-3) == differs


@pytest.mark.slow
class TestTwoChannel:
    def test_is_two_networks_side_by_side_with_weights_of_their_own(self):
        trunk = build_trunk("two_channel", 32)
        assert trunk.output_shape == (None, 1, 1, 2 * 1920)
        assert trunk.count_params() == 2 * 18_321_984
        assert count_trainable(trunk) == architecture.get("two_channel").parameters
        paths = [variable.path for variable in trunk.variables]
        assert len(set(paths)) == len(paths)
        assert {path.split("/")[0] for path in paths} == {"field", "nuclei"}

    def test_one_sees_the_field_and_the_other_its_nuclei(self):
        fields = np.zeros((2, 32, 32, 3), "float32")
        fields[1] = 255, 40, 90
        maps = keras.ops.convert_to_numpy(build_trunk("two_channel", 32)(fields, training=False))
        field, nuclei = np.split(np.abs(maps[0] - maps[1]).max(axis=(0, 1)), 2)
        assert field.max() > 1e-4
        assert not nuclei.any()

    def test_both_train_from_a_block_on(self, class_names):
        recipe = resolve_recipe("two_channel", Recipe(weights="none", input_size=32), RecipeDifferences())
        network = build_classifier("two_channel", recipe, class_names, 0).network
        set_trainable(network, "two_channel", "conv5")
        trained = {(one.path.split("/")[0], "conv5_" in one.path) for one in network.trainable_variables}
        assert {("field", True), ("nuclei", True)} <= trained
        frozen = [one.path for one in network.trainable_variables if "conv4_" in one.path]
        assert frozen == []


class TestWeights:
    def test_imagenet_is_refused_before_anything_is_built(self, class_names):
        row = architecture.get("googlenet")
        message = r"no ImageNet weights of GoogLeNet.*Set models\.mine\.training\.weights to none"
        with pytest.raises(InputError, match=message):
            require_weights("mine", row, Recipe(weights="imagenet"))
        require_weights("mine", row, Recipe(weights="none"))
        recipe = resolve_recipe("googlenet", Recipe(weights="imagenet"), RecipeDifferences())
        with pytest.raises(InputError, match=r"no ImageNet weights of GoogLeNet.*Set weights to none"):
            build_classifier("googlenet", recipe, class_names, 0)

    def test_a_file_of_the_trunk_is_taken(self, class_names, tmp_path):
        keras.utils.clear_session()
        trunk = architecture.get("googlenet").build(keras.Input((48, 48, 3)), None)
        trunk.save_weights(tmp_path / "own.weights.h5")
        shared = Recipe(weights=str(tmp_path / "own.weights.h5"), input_size=48)
        recipe = resolve_recipe("googlenet", shared, RecipeDifferences())
        network = build_classifier("googlenet", recipe, class_names, 0).network
        pairs = zip(network.get_weights()[:-2], trunk.get_weights(), strict=True)
        assert all((ours == theirs).all() for ours, theirs in pairs)
