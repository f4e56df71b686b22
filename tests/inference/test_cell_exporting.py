"""What is exported of a reader of cells predicts as Keras does, of any number of cells."""

import json
from collections.abc import Callable
from functools import cache
from itertools import product

import keras
import numpy as np
import pytest

import cell_models
from leukoscope.cells.crops import NEUTRAL
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.inference.cell_exporting import CellExporter, predict_bags
from leukoscope.inference.exporting import FORMATS, PRECISIONS
from leukoscope.pipelines.export.options import ExportOptions

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are exported under TensorFlow")
MOST = {"float32": 1e-4, "float16": 0.02, "int8": ExportOptions().max_difference.int8}
SIDE = cell_models.CROP
# Writing the others takes ten seconds; tests/inference/test_exporting.py writes all of them of a quicker network.
KINDS = [
    pytest.param(name, one, marks=[] if (name, one) == ("onnx", "float32") else pytest.mark.slow)
    for name, one in product(FORMATS, PRECISIONS)
]


@pytest.fixture(scope="module")
def classifier():
    return cell_models.make_classifier()


@pytest.fixture(scope="module")
def bags(classifier) -> np.ndarray:
    return classifier.cut_bags(cell_models.make_fields().pixels, np.arange(48), 32)


@pytest.fixture(scope="module")
def exporter(classifier, bags) -> CellExporter:
    return CellExporter(classifier, 2.0, cell_models.make_reader().describe(), bags[::3])


@pytest.fixture(scope="module")
def export(exporter) -> Callable[[str, str], bytes]:
    return cache(lambda name, precision: FORMATS[name].write(exporter, precision))


def test_bags_hold_the_cells_of_each_field_and_grey_slots(classifier, bags):
    fields = cell_models.make_fields()
    assert bags.shape == (48, 5, SIDE, SIDE, 3)
    filled = (np.ptp(bags.reshape(48, 5, -1), axis=-1) > 0).sum(axis=1)
    assert filled.tolist() == fields.counts.tolist()
    assert (bags[fields.counts == 0] == NEUTRAL).all()
    few = classifier.cut_bags(fields.pixels, np.arange(48), 2)
    assert (few == bags[:, :2]).all()
    assert classifier.cut_bags(fields.pixels, np.flatnonzero(fields.counts == 0), 32).shape[1] == 1


def test_keras_predicts_bags_as_it_predicts_their_fields(classifier, bags):
    expected = apply_temperature(classifier.predict(cell_models.make_fields().pixels).probabilities, 2.0)
    assert predict_bags(classifier, 2.0, bags) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("name", "precision"), KINDS)
def test_a_file_gives_the_calibrated_probabilities_of_keras(export, classifier, bags, name, precision):
    expected = predict_bags(classifier, 2.0, bags)
    assert np.ptp(expected, axis=0).max() > 0.01
    predict = FORMATS[name].load(export(name, precision))
    assert predict(bags) == pytest.approx(expected, abs=MOST[precision])
    assert predict(bags[:1]) == pytest.approx(expected[:1], abs=MOST[precision])
    more = np.full((2, 9, SIDE, SIDE, 3), NEUTRAL, np.uint8)
    more[:, 3:8] = bags[:2]
    assert predict(more) == pytest.approx(expected[:2], abs=MOST[precision])


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("onnx", "float16"),
        pytest.param("onnx", "float32", marks=pytest.mark.slow),
        pytest.param("onnx", "int8", marks=pytest.mark.slow),
        pytest.param("litert", "float16", marks=pytest.mark.slow),
    ],
)
def test_a_frozen_reader_of_grey_cells_is_exported_up_to_its_layer(bags, frozen, name, precision):
    exporter, expected = frozen
    assert np.ptp(expected, axis=0).max() > 0.05
    assert FORMATS[name].load(FORMATS[name].write(exporter, precision))(bags) == pytest.approx(expected, abs=0.02)


@pytest.fixture(scope="module")
def frozen(bags) -> tuple[CellExporter, np.ndarray]:
    values = {"trainable": "head", "feature_views": 0, "head_norm": True}
    classifier = cell_models.make_classifier("mean-grey-at-block1_out", **values)
    norm = classifier.network.parts.norm
    norm.set_weights([np.random.default_rng(0).uniform(0.5, 1.5, one.shape) for one in norm.get_weights()])
    return CellExporter(classifier, 2.0, {}, bags[::3]), predict_bags(classifier, 2.0, bags)


def test_a_file_says_how_cells_are_to_be_cut_out(exporter, export, classifier):
    import onnxruntime

    session = onnxruntime.InferenceSession(export("onnx", "float32"))
    facts = {name: json.loads(fact) for name, fact in session.get_modelmeta().custom_metadata_map.items()}
    assert facts == json.loads(json.dumps(exporter.describe()))
    assert facts["cutting"] == classifier.cutting.describe()
    assert (facts["grey"], facts["temperature"]) == (NEUTRAL, 2.0)
    taken = session.get_inputs()[0]
    assert (taken.name, taken.type, taken.shape[2:]) == ("crops", "tensor(uint8)", [SIDE, SIDE, 3])
