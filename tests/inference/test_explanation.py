import keras
import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from skimage.filters import threshold_otsu

from leukoscope.inference.explanation import ActivationMapper, map_occlusion, overlay
from leukoscope.inference.predictor import Predictor
from leukoscope.models import architecture
from leukoscope.models.network import Classifier, build_classifier
from leukoscope.synthetic.smears import draw_smear
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from networks import SIBLINGS, VECTORS, mark_slow
from tiny_reader import build_network


def build(name: str, class_names, seed: int = 0) -> Classifier:
    keras.utils.clear_session()
    size = 160  # the least at which each has a last map of several places
    recipe = resolve_recipe(name, Recipe(weights="none", input_size=size), RecipeDifferences())
    return build_classifier(name, recipe, class_names, seed)


@pytest.fixture(scope="module")
def smears() -> np.ndarray:
    return np.stack([draw_smear(name, np.random.default_rng(3), 96) for name in ("Benign", "Early", "Pro")])


QUICK = {"mobilenet_v2"}
NAMES = mark_slow([name for name in architecture.list_names() if name not in VECTORS | SIBLINGS], but=QUICK)


@pytest.mark.parametrize("name", NAMES)
class TestEveryArchitecture:
    def test_the_closed_form_is_grad_cam(self, name, class_names, smears):
        """Against the definition (Selvaraju et al. 2017), computed with TensorFlow's gradient tape."""
        tf = pytest.importorskip("tensorflow")
        classifier = build(name, class_names)
        network, classes = classifier.network, np.array([0, 1, 3])
        trunk = keras.Model(network.inputs, network.get_layer("features").input)
        head = network.get_layer("probabilities")
        with tf.GradientTape() as tape:
            maps = trunk(tf.constant(smears, tf.float32), training=False)
            tape.watch(maps)
            scores = tf.reduce_mean(maps, axis=(1, 2)) @ head.kernel + head.bias
            chosen = tf.gather(scores, classes, batch_dims=1, axis=1)
        weights = tf.reduce_mean(tape.gradient(chosen, maps), axis=(1, 2), keepdims=True)
        expected = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()
        found = ActivationMapper(classifier).map_classes(smears, classes)
        assert found.shape == (3, 96, 96)
        checked = 0
        for ours, theirs in zip(found, expected, strict=True):
            if theirs.max() > 0:
                large = keras.ops.image.resize(theirs[..., None], (96, 96), interpolation="bicubic", antialias=False)
                checked += 1
                assert pearsonr(ours.ravel(), np.asarray(large).ravel()).statistic > 0.97
            else:
                assert not ours.any()
        assert checked

    @pytest.mark.slow
    def test_another_model_looks_elsewhere(self, name, class_names, smears):
        """Adebayo et al. 2018, Sanity checks for saliency maps: a map must depend on what was learned."""
        classes = np.array([1, 1, 1])
        mappers = (ActivationMapper(build(name, class_names, seed)) for seed in (1, 2))
        ours, others = (one.map_classes(smears, classes) for one in mappers)
        assert compare(ours, others) < 0.95


def compare(ours: np.ndarray, others: np.ndarray) -> float:
    """Give the median rank correlation of maps, 0 where one of two is empty."""
    pairs = zip(ours, others, strict=True)
    return float(np.median([spearmanr(a.ravel(), b.ravel()).statistic if a.any() and b.any() else 0 for a, b in pairs]))


@pytest.fixture(scope="module")
def trained(class_names) -> tuple[Classifier, np.ndarray]:
    """A small network that has learned to tell two classes, and smears of the second that it has not seen."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = layers.Input((None, None, 3), name="image")
    seen = layers.Rescaling(1 / 127.5, -1)(image)
    for number, channels in enumerate((16, 32)):
        seen = layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu", name=f"conv{number}")(seen)
    features = layers.GlobalAveragePooling2D(name="features")(seen)
    network = keras.Model(image, layers.Dense(2, activation="softmax", name="probabilities")(features))
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    images = np.stack([draw_smear(("Benign", "Pro")[label], rng, 64) for label in labels])
    network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", jit_compile=False)
    network.fit(images[:128], labels[:128], epochs=25, batch_size=16, verbose=0)
    return Classifier(network, ("Benign", "Pro")), images[128:][labels[128:] == 1]


def is_cell(image: np.ndarray) -> np.ndarray:
    """Nuclei are darkest in the green channel."""
    green = image[:, :, 1]
    return green < threshold_otsu(green)


def excess(heat: np.ndarray, image: np.ndarray) -> float:
    """How many times as much of the map lies on cells as chance would put there."""
    return float(heat[is_cell(image)].sum() / heat.sum() / is_cell(image).mean())


@pytest.mark.slow
def test_on_made_smears_the_map_lies_on_cells(trained):
    classifier, fields = trained
    heats = ActivationMapper(classifier).map_classes(fields, np.ones(len(fields), int))
    assert np.median([excess(heat, image) for heat, image in zip(heats, fields, strict=True)]) > 1.3


@pytest.mark.slow
def test_without_what_was_learned_the_map_is_another(trained):
    """The cascading randomisation of Adebayo et al. 2018, from the head on."""
    classifier, fields = trained
    network = keras.models.clone_model(classifier.network)
    network.set_weights(classifier.network.get_weights())
    classes = np.ones(len(fields), int)
    learned = ActivationMapper(classifier).map_classes(fields, classes)
    assert learned.any(axis=(1, 2)).all()
    likeness = []
    for name in ("probabilities", "conv1", "conv0"):
        layer = network.get_layer(name)
        draw = keras.initializers.GlorotUniform(5)
        layer.set_weights([draw(layer.kernel.shape), np.zeros(layer.bias.shape)])
        likeness.append(
            compare(learned, ActivationMapper(Classifier(network, ("a", "b"))).map_classes(fields, classes))
        )
    assert max(likeness) < 0.8


def test_occlusion_lies_on_cells_too(trained):
    classifier, fields = trained
    predictor = Predictor(classifier, 64)
    heats = [map_occlusion(predictor, image, 1, 0.2, 0.1, seed=0) for image in fields[:8]]
    assert np.median([excess(heat, image) for heat, image in zip(heats, fields, strict=False)]) > 1.1


def test_occlusion_finds_the_one_place_that_matters():
    """The tiny network goes by brightness: hiding a dark square behind the bright field costs the dark classes most."""
    image = np.full((64, 64, 3), 230, np.uint8)
    image[8:24, 40:56] = 20
    predictor = Predictor(Classifier(build_network(), ("a", "b", "c", "d")), 64)
    heat = map_occlusion(predictor, image, 3, 0.25, 0.125, seed=0)
    assert heat.max() == 1
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 8 <= row < 24
    assert 40 <= column < 56
    assert heat[40:, :24].max() < 0.2


def test_nothing_that_speaks_for_a_class_is_an_empty_map():
    network = build_network()
    network.get_layer("probabilities").set_weights([np.full((2, 4), -1.0), np.zeros(4)])
    image = np.full((1, 32, 32, 3), 200, np.uint8)
    heat = ActivationMapper(Classifier(network, ("a", "b", "c", "d"))).map_classes(image, np.array([2]))
    assert heat.shape == (1, 32, 32)
    assert not heat.any()


def test_an_overlay_leaves_what_is_cold_as_it_is():
    image = np.full((4, 4, 3), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    shown = overlay(image, heat)
    assert (shown[1:] == 100).all()
    assert (shown[0, 0] != 100).any()
