"""The outline of a network."""

import numpy as np

import tiny_backbone as tiny
from leukoscope.models import architecture, outline
from leukoscope.models.network import build_classifier
from leukoscope.models.outline import outline_network
from leukoscope.models.own_layers import OWN_LAYERS
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe


def build(name: str, size: int):
    recipe = resolve_recipe(name, Recipe(weights="none", input_size=size), RecipeDifferences())
    return build_classifier(name, recipe, ["a", "b", "c"], 0)


def test_every_layer_is_in_one_block_and_every_parameter_counted_once(monkeypatch):
    tiny.add(monkeypatch.setattr)
    classifier = build(tiny.NAME, 32)
    blocks = [block for (block,) in outline_network(classifier.network, tiny.NAME)]
    trainable = sum(int(np.prod(variable.shape)) for variable in classifier.network.trainable_variables)
    assert sum(block.parameters for block in blocks) == trainable
    assert blocks[0].name == "input"
    assert blocks[0].shape == (32, 32, 3)
    assert blocks[0].parameters == 0
    assert blocks[-1].name == "head"
    assert blocks[-1].shape == (3,)


def test_vgg16_has_the_blocks_shapes_and_parameters_of_its_paper():
    blocks = {block.name: block for (block,) in outline_network(build("vgg16", 224).network, "vgg16")}
    assert list(blocks) == ["input", "stem", "block2", "block3", "block4", "block5", "head"]
    assert blocks["stem"].shape == (112, 112, 64)
    assert blocks["stem"].parameters == 3 * 3 * 3 * 64 + 64 + 3 * 3 * 64 * 64 + 64
    assert blocks["stem"].contents == ("2 convolutions", "max pooling")
    assert blocks["block5"].shape == (7, 7, 512)
    assert blocks["block5"].parameters == 3 * (3 * 3 * 512 * 512 + 512)
    assert blocks["head"].contents == ("global average pooling", "dropout", "dense layer")
    assert sum(block.parameters for block in blocks.values()) == 14_714_688 + 512 * 3 + 3


def test_a_network_that_ends_at_a_layer_has_no_blocks_behind_it():
    for name in ("mobilenet_v2-at-block_6_expand_relu", "mobilenet_v2-cells-mean-at-block_6_expand_relu"):
        blocks = [block for (block,) in outline_network(build(name, 32).network, name)]
        assert [block.name for block in blocks] == ["input", "stem", "block_1", "block_3", "block_6", "head"]
        assert blocks[-2].shape == (4, 4, 192)
        assert blocks[-1].parameters == 192 * 3 + 3


def test_what_is_frozen_does_not_count():
    recipe = resolve_recipe("vgg16", Recipe(weights="none", input_size=32), RecipeDifferences(trainable="head"))
    network = build_classifier("vgg16", recipe, ["a", "b"], 0).network
    assert [block.parameters for (block,) in outline_network(network, "vgg16")] == [0, 0, 0, 0, 0, 0, 512 * 2 + 2]


def test_members_of_a_fusion_are_side_by_side():
    network = build("vgg16.mobilenet", 32).network
    levels = outline_network(network, "vgg16.mobilenet")
    assert [[block.name for block in level] for level in levels] == [
        ["input"],
        ["vgg16", "mobilenet"],
        ["fusion"],
        ["head"],
    ]
    vgg16, mobilenet = levels[1]
    assert (vgg16.parameters, mobilenet.parameters) == (14_714_688, architecture.get("mobilenet").parameters)
    assert (vgg16.shape, mobilenet.shape) == ((1, 1, 512), (1, 1, 1024))
    assert levels[2][0].shape == (3072,)
    trainable = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
    assert sum(block.parameters for level in levels for block in level) == trainable


def test_every_layer_of_our_own_is_told():
    assert {layer.__name__ for layer in OWN_LAYERS} - set(outline._TOLD) == set()
