"""Optimizers, their rates and their schedules."""

import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.backend import kernels
from leukoscope.core.errors import InputError
from leukoscope.models.network import build_classifier
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.optimizers import build_optimizer, learning_rate, share_rates
from leukoscope.training.recipe import Phase, Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer


def step_once(recipe: Recipe, shares) -> dict[str, np.ndarray]:
    """Give how far one step moves weights of gradient 1, by their names."""
    variables = [keras.Variable(np.zeros(2, "float32"), name=name) for name in ("low", "middle", "head")]
    resolved = resolve_recipe("vgg16", recipe, RecipeDifferences())
    optimizer = build_optimizer(resolved, resolved.phases[0], 1, "float32", shares)
    optimizer.build(variables)
    optimizer.apply([keras.ops.ones(2) for _ in variables], variables)
    return {variable.name: -keras.ops.convert_to_numpy(variable.value) for variable in variables}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_blocks_learn_at_their_shares_of_the_rate(optimizer):
    moved = step_once(Recipe(optimizer=optimizer, learning_rate=1e-2), {"low": 1e-4, "middle": 1e-2})
    assert moved["low"] == pytest.approx(1e-6, rel=1e-3)
    assert moved["middle"] == pytest.approx(1e-4, rel=1e-3)
    assert moved["head"] == pytest.approx(1e-2, rel=1e-3)


def test_blocks_learn_at_their_shares_also_where_the_loss_is_scaled():
    recipe = resolve_recipe("vgg16", Recipe(), RecipeDifferences())
    optimizer = build_optimizer(recipe, recipe.phases[0], 1, "mixed_float16", {"low": 0.5})
    assert optimizer.inner_optimizer.shares == {"low": 0.5}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others have no such kernel, or fuse by themselves")
@pytest.mark.parametrize(
    "values", [{"clip_norm": 1.0, "schedule": "cosine"}, {"weight_decay": 0.1}, {"optimizer": "sgd"}]
)
@pytest.mark.parametrize("shares", [None, {"low": 0.1}])
def test_faster_updates_are_the_same(values, shares, rng, monkeypatch):
    monkeypatch.setattr(kernels, "is_tensorflow_on_cpu", lambda: True)
    recipe = resolve_recipe("vgg16", Recipe(learning_rate=1e-2, **values), RecipeDifferences())
    shares = None if "weight_decay" in values else shares
    starts, gradients = rng.normal(size=(2, 4, 5)).astype("float32")
    optimizers, learned = [], []
    for is_fast in (False, True):
        optimizers.append(build_optimizer(recipe, recipe.phases[0], 9, "float32", shares))
        variables = [
            keras.Variable(start, name=name) for start, name in zip(starts, ("low", "a", "b", "bias"), strict=True)
        ]
        optimizers[-1].build(variables)
        if is_fast:
            kernels.use_faster_updates(optimizers[-1])
        for number in range(5):
            optimizers[-1].apply([keras.ops.convert_to_tensor(one / (number + 1)) for one in gradients], variables)
        learned.append(
            np.array([keras.ops.convert_to_numpy(one) for one in (*variables, *optimizers[-1].variables[2:])])
        )
    assert not np.allclose(learned[0][:4], starts, atol=1e-3)
    assert learned[1] == pytest.approx(learned[0], abs=1e-6)
    assert ("update_step" in vars(optimizers[1])) == ("optimizer" not in values)


def test_sgd_has_momentum():
    recipe = resolve_recipe("vgg16", Recipe(optimizer="sgd", momentum=0.5, learning_rate=0.1), RecipeDifferences())
    variable = keras.Variable(np.zeros(1, "float32"))
    optimizer = build_optimizer(recipe, recipe.phases[0], 1, "float32")
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([keras.ops.ones(1)], [variable])
    # v = 0.5 v - 0.1: -0.1, -0.15, -0.175
    assert keras.ops.convert_to_numpy(variable.value) == pytest.approx([-0.425])


def test_sgd_decays_no_bias():
    recipe = resolve_recipe("vgg16", Recipe(optimizer="sgd", weight_decay=0.5, learning_rate=0.1), RecipeDifferences())
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    for variable in layer.variables:
        variable.assign(keras.ops.ones(variable.shape))
    optimizer = build_optimizer(recipe, recipe.phases[0], 1, "float32")
    optimizer.build(layer.trainable_variables)
    optimizer.apply([keras.ops.zeros(one.shape) for one in layer.trainable_variables], layer.trainable_variables)
    assert [float(one.max()) for one in layer.get_weights()] == pytest.approx([0.95, 1.0])


def test_an_exponential_schedule_falls_step_by_step_after_its_warm_up():
    rate = learning_rate(Phase(0, 9, "all", 0.1, "exponential", warmup_epochs=1), steps=10, epoch_decay=0.5)
    values = [float(keras.ops.convert_to_numpy(rate(step))) for step in (0, 5, 10, 15, 20, 30)]
    assert values == pytest.approx([0, 0.05, 0.1, 0.1 * 0.5**0.5, 0.05, 0.025], rel=1e-5)
    again = type(rate).from_config(rate.get_config())
    assert float(keras.ops.convert_to_numpy(again(20))) == pytest.approx(0.05, rel=1e-5)


def test_each_variable_has_the_share_of_its_block(monkeypatch, class_names):
    tiny.add(monkeypatch.setattr)
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none"), RecipeDifferences())
    network = build_classifier(tiny.NAME, recipe, class_names, 0).network
    shares = share_rates(network, tiny.NAME, {"stem": 0.1, "block2": 0.5, "head": 2.0})
    names = {"block1_conv": 0.1, "block1_bn": 0.1, "block2_conv": 0.5, "block2_bn": 0.5, "probabilities": 2.0}
    assert {path.split("/")[-2]: share for path, share in shares.items()} == names


def test_a_head_that_trains_first_learns_at_its_own_rate(monkeypatch, tmp_path, class_names):
    tiny.add(monkeypatch.setattr)
    images = LabelledImages(np.zeros((8, 32, 32, 3), "uint8"), np.arange(8), np.arange(8) % 4, np.ones(8))
    shared = Recipe(weights="none", head_epochs=1, feature_views=None, epochs=2, block_rates={"head": 2.0})
    recipe = resolve_recipe(tiny.NAME, shared, RecipeDifferences())
    trainer = Trainer(tiny.NAME, recipe, class_names, images, images, {}, TrainingJournal(tmp_path), 1)
    shares = [getattr(trainer.assemble(phase)[0].optimizer, "shares", {}) for phase in recipe.phases]
    assert [set(of_phase.values()) for of_phase in shares] == [set(), {2.0}]


def test_what_no_block_is_called_is_refused():
    differences = RecipeDifferences(block_rates={"layer9": 0.1})
    with pytest.raises(InputError, match=r"models.vgg16.training.block_rates names 'layer9', which VGG16"):
        resolve_recipe("vgg16", Recipe(), differences)
    with pytest.raises(ValueError, match="block_rates do not go with weight_decay"):
        resolve_recipe("vgg16", Recipe(block_rates={"head": 2.0}, weight_decay=0.1), RecipeDifferences())


def test_a_training_of_before_these_fields_is_the_same_training():
    younger = {"optimizer", "momentum", "block_rates", "epoch_decay", "pixels", "head_norm", "centre_crop"}
    younger |= {"normalisation"}
    plain = resolve_recipe("vgg16", Recipe(momentum=0.5, epoch_decay=0.5), RecipeDifferences())
    assert not younger & set(plain.determining)
    other = Recipe(optimizer="sgd", block_rates={"stem": 0.1}, schedule="exponential", pixels="torch", weights="none")
    other = other.model_copy(update={"head_norm": True, "centre_crop": 0.9, "normalisation": "reinhard"})
    assert younger <= set(resolve_recipe("vgg16", other, RecipeDifferences()).determining)
