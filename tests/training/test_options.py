"""Entries of the configuration are what their kind says."""

import pytest
from pydantic import ValidationError

from leukoscope.core.errors import InputError
from leukoscope.core.options import describe_faults
from leukoscope.training.entry import ModelOptions
from leukoscope.training.options import KINDS, NetworkOptions
from leukoscope.training.recipe import Recipe

NETWORK = {"name": "own", "kind": "network", "architecture": "vgg16"}


def test_an_entry_is_of_its_kind_and_is_validated_once():
    entry = ModelOptions.model_validate(NETWORK)
    assert type(entry) is NetworkOptions
    assert ModelOptions.model_validate(entry) is entry
    assert entry.default


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "netwrok"}, "models.own.kind is 'netwrok': there is no such kind: did you mean 'network'?"),
        ({"kind": ["network"]}, "models.own.kind is ['network']: there is no such kind"),
        ({"kind": {}}, "models.own.kind is {}: there is no such kind"),
        ({"atention": "eca"}, "models.own: there is no parameter 'atention'"),
        ({"training": {"epochs": 0}}, "models.own.training.epochs is 0"),
        ({"training": {"feature_views": -1}}, "models.own.training.feature_views is -1: input should be greater than"),
        ({"training": {"feature_stains": -1}}, "models.own.training.feature_stains is -1: input should be greater"),
        ({"training": {"optimizer": "lbgfs"}}, "models.own.training.optimizer is 'lbgfs': input should be 'adam', "),
        ({"layer": "block 5"}, "models.own.layer is 'block 5'"),
        ({"default": "never"}, "models.own.default is 'never'"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_by_its_place(change, message):
    with pytest.raises(ValidationError) as caught:
        ModelOptions.model_validate(NETWORK | change)
    assert message in describe_faults(caught.value, "models.own")


CELLS = {"name": "own", "kind": "cells", "architecture": "mobilenet_v2"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": "mobilnet_v2"},
            "models.own.architecture: there is no architecture 'mobilnet_v2': did you mean",
        ),
        ({"bag": 0}, "models.own.bag is 0"),
        ({"bag": 10_000}, "models.own.bag is 10000"),
        ({"pooling": "atention"}, "models.own.pooling is 'atention': input should be 'attention' or 'mean'"),
        ({"background": "white"}, "models.own.background is 'white': input should be 'neutral' or 'kept'"),
        ({"grey": "very"}, "models.own.grey is 'very'"),
        ({"layer": ""}, "models.own.layer is ''"),
        ({"layer": "block 13"}, "models.own.layer is 'block 13'"),
        ({"attention": "eca"}, "models.own: there is no parameter 'attention'"),
        ({"augmentation": {"cutmix": 1.0}}, "models.own.augmentation: cutmix would mix whole fields"),
        ({"augmentation": {"synthetic": 0.5}}, "models.own.augmentation: synthetic would replace whole fields"),
    ],
)
def test_what_is_wrong_with_a_reader_of_cells_is_told(change, message):
    with pytest.raises(ValidationError) as caught:
        ModelOptions.model_validate(CELLS | change)
    told = describe_faults(caught.value, "models.own")
    assert message in told
    assert "\n" not in told


def test_a_reader_of_cells_is_a_network_of_what_it_sees():
    entry = ModelOptions.model_validate(CELLS | {"grey": True, "augmentation": {"mixup": 0}})
    described = entry.describe_recipe(Recipe(input_size=64))
    assert described["architecture"] == "mobilenet_v2-cells-attention-grey"
    assert (described["kind"], described["background"], described["bag"]) == ("cells", "neutral", 16)
    with pytest.raises(InputError, match="input_size is 24 pixels; MobileNetV2 needs 32 or more"):
        entry.resolve(Recipe(input_size=24))
    ending = ModelOptions.model_validate(CELLS | {"pooling": "mean", "layer": "block_13_expand_relu"})
    assert ending.network == "mobilenet_v2-cells-mean-at-block_13_expand_relu"
    with pytest.raises(InputError, match=r"own ends at the layer block_13_expand_relu, and training\.trainable"):
        ending.resolve(Recipe(trainable="Conv_1"))


def test_a_network_may_end_at_a_layer():
    ending = NETWORK | {"attention": "eca", "layer": "block4_pool"}
    assert ModelOptions.model_validate(ending).network == "vgg16-eca-at-block4_pool"
    entry = ModelOptions.model_validate(NETWORK | {"layer": "block4_pool"})
    assert entry.title == "own"  # and not VGG16
    with pytest.raises(InputError, match=r"own ends at the layer block4_pool, and training\.trainable or block_rates"):
        entry.resolve(Recipe(trainable="block4"))
    unknown = ModelOptions.model_validate(NETWORK | {"layer": "block4_pol"})
    with pytest.raises(InputError, match=r"VGG16 has no layer 'block4_pol' .* such as block4_pool"):
        unknown.require_files(Recipe(weights="none"))
    with pytest.raises(ValidationError) as caught:
        ModelOptions.model_validate(NETWORK | {"layer": "block 4"})
    assert "models.own.layer is 'block 4'" in describe_faults(caught.value, "models.own")


def test_every_kind_names_itself():
    for kind, options in KINDS.items():
        assert options.model_fields["kind"].annotation.__args__ == (kind,)


def test_the_recipe_says_of_what_it_is():
    described = ModelOptions.model_validate(NETWORK).describe_recipe(Recipe(epochs=3))
    assert (described["kind"], described["architecture"]) == ("network", "vgg16")
    assert described["recipe"]["epochs"] == 3


def test_a_fusion_is_trained_as_a_network_of_all_its_members():
    entry = ModelOptions.model_validate({"name": "own", "kind": "fusion", "members": ["vgg16", "mobilenet"]})
    described = entry.describe_recipe(Recipe())
    assert described["architecture"] == "vgg16.mobilenet"
    assert (described["recipe"]["dropout"], described["recipe"]["batch_size"]) == (0.5, 32)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["vgg16"], "models.own.members is ['vgg16']: tuple should have at least 2 items"),
        (["vgg16", "vgg16"], "name each architecture once"),
        (["vgg16", "mobilnet"], "no architecture 'mobilnet': did you mean 'mobilenet'"),
    ],
)
def test_a_fusion_is_of_several_architectures(members, message):
    with pytest.raises(ValidationError) as caught:
        ModelOptions.model_validate({"name": "own", "kind": "fusion", "members": members})
    assert message in describe_faults(caught.value, "models.own")
