"""What is exported predicts as Keras does, and needs neither Keras nor TensorFlow for it."""

import ast
import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.inference.exporting import FORMATS, PRECISIONS, Exporter
from tiny_reader import CLASS_NAMES, SIZE, encode, make_reader, shade

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are exported under TensorFlow")
IMAGES = np.stack([shade(one) for one in range(30, 230, 5)])
MOST = {"float32": 1e-4, "float16": 0.02, "int8": 0.1}


@pytest.fixture(scope="module")
def reader():
    return make_reader(temperature=2.0)


@pytest.fixture(scope="module")
def exported(reader) -> dict[tuple[str, str], bytes]:
    exporter = Exporter(reader.classifier, 2.0, reader.describe(), IMAGES[::3])
    return {(name, one): FORMATS[name].write(exporter, one) for name in FORMATS for one in PRECISIONS}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_it_gives_the_calibrated_probabilities_of_keras(exported, reader, name, precision):
    expected = apply_temperature(reader.predictor.predict(IMAGES)[0], 2.0)
    predict = FORMATS[name].load(exported[name, precision])
    assert predict(IMAGES) == pytest.approx(expected, abs=MOST[precision])
    assert predict(IMAGES[:1]) == pytest.approx(expected[:1], abs=MOST[precision])


def test_onnx_says_what_it_takes_and_gives(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported["onnx", "int8"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["class_names"]) == list(CLASS_NAMES)
    assert json.loads(facts["temperature"]) == 2.0
    taken = session.get_inputs()[0]
    assert (taken.name, taken.type, taken.shape[1:]) == ("image", "tensor(uint8)", [SIZE, SIZE, 3])


def read_example(project_path, package: str) -> str:
    """Give the example of the documentation that uses a package."""
    text = (project_path / "docs/second_opinion.md").read_text()
    return next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if package in block)


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnxruntime"), ("litert", "ai_edge_litert")])
def test_the_documented_example_predicts_without_tensorflow(exported, reader, project_path, tmp_path, name, package):
    (tmp_path / f"model{FORMATS[name].suffix}").write_bytes(exported[name, "float32"])
    (tmp_path / "model.json").write_text(
        json.dumps(Exporter(reader.classifier, 2.0, reader.describe(), IMAGES).describe())
    )
    (tmp_path / "smear.jpg").write_bytes(encode(shade(150)))
    blocked = ("tensorflow", "keras", "torch", "jax", "leukoscope")
    code = f"import sys\nfor name in {blocked}:\n    sys.modules[name] = None\n{read_example(project_path, package)}"
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    said = ast.literal_eval(answer.stdout.splitlines()[-1])
    expected = apply_temperature(reader.predictor.predict(shade(150)[None])[0], 2.0)[0]
    assert list(said) == list(CLASS_NAMES)
    assert list(said.values()) == pytest.approx(expected.tolist(), abs=1e-3)


def test_another_backend_is_an_input_error(reader, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="KERAS_BACKEND is jax"):
        Exporter(reader.classifier, 2.0, reader.describe(), IMAGES)


def test_without_the_packages_it_says_how_to_get_them(reader, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(InputError, match=r"tf2onnx.*pip install .*\[export\]"):
        Exporter(reader.classifier, 2.0, reader.describe(), IMAGES)
