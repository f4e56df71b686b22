import keras
import numpy as np
import pytest
from keras import layers

from leukoscope.models import architecture
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.network import build_classifier
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from networks import LIGHT, mark_slow


def infer(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(images, training=False))


def is_norm(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.BatchNormalization)


def count_norms(network: keras.Model) -> int:
    return sum(map(is_norm, network.layers))


def draw_weights(network: keras.Model, rng: np.random.Generator) -> None:
    """Draw what training would have changed: everything that batch norms know."""
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, one.shape) for one in layer.get_weights()])
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(size=layer.bias.shape))


def count_norms_of_other_layers(network: keras.Model) -> int:
    """Count the batch norms of what no convolution gives: of sums, concatenations and poolings."""
    givers = [layer.input._keras_history.operation for layer in network.layers if is_norm(layer)]
    return sum("Conv" not in type(giver).__name__ for giver in givers)


# How many of them some networks have, by their papers.
LEFT = {"vgg16": 0, "resnet50": 0, "densenet121": 121 - 1 - 58, "densenet201": 201 - 1 - 98, "resnet50_v2": 16 + 1}
LEFT |= {"nasnet_mobile": 4, "nasnet_large": 4}
# Under drawn weights it amplifies rounding a hundred thousand times; EfficientNetV2B0 has the same kinds of layers.
COMPARED = [name for name in architecture.list_names() if name != "efficientnet_v2_s"]
NAMES = mark_slow(COMPARED, but=LIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_infers_the_same_with_fewer_batch_norms(name, class_names, rng):
    recipe = Recipe(weights="none", input_size=max(32, architecture.get(name).smallest_input))
    network = build_classifier(name, resolve_recipe(name, recipe, RecipeDifferences()), class_names, 0).network
    draw_weights(network, rng)
    images = rng.uniform(0, 255, (4, 40, 56, 3)).astype("float32")
    # Drawn weights make features so large that the softmax would only tell which of two is larger by rounding.
    trunk = keras.Model(network.inputs, network.get_layer("features").output)
    before, probabilities = infer(trunk, images), infer(network, images)
    folded = fold_batch_norms(trunk)
    assert infer(folded, images) == pytest.approx(before, abs=1e-4 * float(np.abs(before).max()))
    left = count_norms_of_other_layers(trunk)
    assert count_norms(folded) == left == LEFT.get(name, left)
    assert infer(network, images) == pytest.approx(probabilities, abs=1e-6)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.01}])
@pytest.mark.parametrize(
    "convolution",
    [
        lambda: layers.Conv2D(6, 3),
        lambda: layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        lambda: layers.SeparableConv2D(6, 3),
        lambda: layers.SeparableConv2D(6, 3, strides=2, depth_multiplier=2, use_bias=False),
    ],
)
def test_folds_what_a_batch_norm_can_be(convolution, options, rng):
    network = keras.Sequential([keras.Input((8, 8, 3)), convolution(), layers.BatchNormalization(**options)])
    network = keras.Model(network.inputs, network.outputs)
    draw_weights(network, rng)
    images = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    folded = fold_batch_norms(network)
    assert count_norms(folded) == 0
    assert infer(folded, images) == pytest.approx(infer(network, images), abs=1e-5)


def test_leaves_what_cannot_be_folded(rng):
    image = keras.Input((8, 8, 3))
    shared = layers.Conv2D(4, 3, padding="same")(image)
    added = layers.Add()([shared, layers.BatchNormalization()(shared)])
    active = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(added))
    pooled = layers.BatchNormalization()(layers.MaxPooling2D()(active))
    shown = layers.Conv2D(4, 1)(pooled)
    network = keras.Model(image, [layers.BatchNormalization()(shown), shown])
    assert fold_batch_norms(network) is network
    last = layers.BatchNormalization()(layers.Conv2D(5, 1)(pooled))
    partly = keras.Model(image, last)
    draw_weights(partly, rng)
    images = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    folded = fold_batch_norms(partly)
    assert count_norms(folded) == count_norms(partly) - 1 == 3
    assert infer(folded, images) == pytest.approx(infer(partly, images), abs=1e-5)
