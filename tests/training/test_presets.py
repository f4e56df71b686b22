"""Entries of the configuration that stand for published systems."""

import math

import numpy as np
import pytest

from leukoscope.entries import read_entries
from leukoscope.models import architecture
from leukoscope.models.network import build_classifier
from leukoscope.reporting.literature import read_literature
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import HEAD, Recipe

LIGHT = ("hosseini_mobilenet_v2", "hosseini_efficientnet_v2_b0", "hosseini_nasnet_mobile")
CLASS_NAMES = ("Benign", "Early", "Pre", "Pro")
PRESETS = (*LIGHT, "alim_resnet50", "nasnet_vgg19")


@pytest.fixture(scope="module")
def entries(project_path) -> dict[str, ModelOptions]:
    read = read_entries(project_path / "conf")
    return {name: ModelOptions.model_validate(entry | {"name": name}) for name, entry in read.items()}


@pytest.mark.parametrize("name", PRESETS)
def test_it_is_left_out_by_default_and_its_figure_has_a_protocol(entries, name):
    assert not entries[name].default
    assert set(entries[name].published.model_dump().values()) == {None}
    published = [system for system in read_literature().systems if system.entry == name]
    assert [bool(system.split and system.figures) for system in published] == [True]


@pytest.mark.parametrize("name", LIGHT)
def test_the_rate_falls_as_in_hosseini_2023(entries, name):
    """1e-4, times 0.96 in every 40 steps, of which their 30 epochs had 165 each."""
    recipe = entries[name].resolve(Recipe())
    (phase,) = recipe.phases
    assert (phase.learning_rate, phase.schedule, recipe.batch_size, recipe.patience) == (1e-4, "exponential", 32, None)
    assert recipe.epoch_decay**30 == pytest.approx(0.96 ** (30 * 165 / 40), rel=0.02)
    assert (recipe.head_norm, recipe.dropout, recipe.trainable) == (True, 0, "all")


def test_alim_2024_trains_the_head_first_and_the_last_stage_then(entries):
    head, last = entries["alim_resnet50"].resolve(Recipe()).phases
    assert (head.trainable, last.trainable) == (HEAD, "conv5")


def test_nasnet_and_vgg19_have_as_many_numbers_as_worked_out(entries):
    row = architecture.get(entries["nasnet_vgg19"].network)
    statistics_of_nasnet = 84_916_818 - 84_720_150
    assert row.parameters + statistics_of_nasnet == 104_941_202
    assert row.input_size == 224


@pytest.mark.slow
def test_nasnet_and_vgg19_are_built_whole_and_learn(entries):
    options = entries["nasnet_vgg19"]
    recipe = options.resolve(Recipe(weights="none", input_size=32))
    network = build_classifier(options.network, recipe, CLASS_NAMES, 0).network
    classes = len(CLASS_NAMES)
    row = architecture.get(options.network)
    head = [layer for layer in network.layers if "fused_norm" in layer.name or layer.name == "probabilities"]
    added = sum(layer.count_params() for layer in head)
    assert network.count_params() - added == 104_941_202
    learned = sum(math.prod(variable.shape) for layer in head for variable in layer.trainable_variables)
    assert sum(math.prod(variable.shape) for variable in network.trainable_variables) - learned == row.parameters
    network.compile("sgd", "categorical_crossentropy")
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    labels = np.eye(classes, dtype="float32")
    losses = [float(network.train_on_batch(images, labels)) for _ in range(2)]
    assert np.isfinite(losses).all()
    assert network.predict(images, verbose=0).shape == (4, classes)
