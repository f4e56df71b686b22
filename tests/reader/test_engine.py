"""What answers for a reader without Keras gives the opinions of Keras, or does not answer."""

import json
import logging
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.inference.exporting import Exporter
from leukoscope.models import base
from leukoscope.models.network import Classifier
from leukoscope.models.onnx_network import OnnxClassifier
from leukoscope.reader import engine
from leukoscope.reader.engine import Agreement, EnginePlan, choose_images, load_engine, prepare_engine
from leukoscope.synthetic import CLASSES, draw_smear
from tiny_reader import CLASS_NAMES, SIZE, build_network, make_reader, shade, vary

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are exported under TensorFlow")
# As dark as what the reader knows of each class.
SHADES = np.linspace(0.2, 1, 12)
SMEARS = np.stack([draw_smear(CLASSES[n % 4], np.random.default_rng(n), SIZE) * SHADES[n] for n in range(12)])
SMEARS = SMEARS.astype(np.uint8)
FIELDS = np.stack([vary(shade(one)) for one in range(40, 220, 9)])


@pytest.fixture(scope="module")
def reader():
    # Every field is like its training images, and some opinions are unsure.
    return make_reader(temperature=2.0, threshold=0.5, ood_limit=1e6)


@pytest.fixture(scope="module")
def content() -> bytes:
    return export()


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(engine, "_IMAGES", 8)


@pytest.fixture
def exports(monkeypatch, content, few_images):
    """Counts the exports, which give the module's file."""
    counted = []
    monkeypatch.setattr(Exporter, "write_for_reader", lambda self: counted.append(self) or content)
    return counted


@pytest.fixture
def made(exports, reader, tmp_path):
    """The folder of an engine."""
    prepare_engine(EnginePlan(reader, "auto", None), tmp_path / "engine")
    assert len(exports) == 1
    exports.clear()
    return tmp_path / "engine"


def export(bias: float = 0.0) -> bytes:
    """Export the reader's network, with something added to the first class's score in the last layer."""
    network = build_network()
    head = network.get_layer("probabilities")
    head.set_weights([head.get_weights()[0], np.array([bias, 0, 0, 0])])
    return Exporter(Classifier(network, CLASS_NAMES, "splits", SIZE), 1.0, {}, SMEARS).write_for_reader()


@pytest.fixture(scope="module")
def other() -> bytes:
    return export(bias=0.01)


def test_both_give_the_same_opinions_of_drawn_smears(made, reader):
    classifier = load_engine(made)
    assert isinstance(classifier, base.Classifier)
    expected, answer = reader.read(SMEARS), reader.answered_by(classifier).read(SMEARS)
    pd.testing.assert_frame_equal(answer.opinions, expected.opinions, atol=1e-5)
    assert answer.features == pytest.approx(expected.features, abs=1e-5)
    assert expected.opinions["opinion"].nunique() > 2  # some abstained


def test_it_is_a_classifier_of_the_same_fingerprint_and_batches(made, reader):
    classifier = load_engine(made)
    assert classifier.fingerprint == reader.classifier.fingerprint
    assert classifier.class_names == CLASS_NAMES
    rows = np.array([5, 0, 7])
    some = classifier.predict(SMEARS, rows, batch_size=2)
    assert some.probabilities == pytest.approx(reader.classifier.predict(SMEARS[rows]).probabilities, abs=1e-6)


def test_what_is_there_is_kept(made, exports, reader):
    prepare_engine(EnginePlan(reader, "onnx", None), made)
    assert exports == []


def test_keras_is_a_choice(exports, reader, tmp_path):
    prepare_engine(EnginePlan(reader, "keras", None), tmp_path / "engine")
    assert exports == []
    assert load_engine(tmp_path / "engine") is None


@pytest.mark.parametrize("name", ["model", "reader"])  # the same model may be calibrated anew
def test_that_of_another_model_or_reader_is_replaced(made, exports, reader, name):
    facts = json.loads((made / "engine.json").read_text())
    (made / "engine.json").write_text(json.dumps(facts | {name: "another"}))
    prepare_engine(EnginePlan(reader, "auto", None), made)
    assert len(exports) == 1
    assert load_engine(made).fingerprint == reader.classifier.fingerprint


@pytest.mark.parametrize("name", ["model.onnx", "engine.json"])
@pytest.mark.parametrize("how", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"[1]", None])
def test_a_damaged_one_is_told_and_made_again(made, exports, reader, name, how, caplog):
    path = made / name
    if how:
        path.write_bytes(how(path.read_bytes()))
        with pytest.raises(InputError, match=f"{name} is damaged"):
            load_engine(made)
    else:
        path.unlink()
    prepare_engine(EnginePlan(reader, "auto", None), made)
    assert len(exports) == 1
    assert load_engine(made).fingerprint == reader.classifier.fingerprint
    assert "Traceback" not in caplog.text


def test_one_that_disagrees_is_not_used_and_not_tried_again(exports, reader, other, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(Exporter, "write_for_reader", lambda self: exports.append(self) or other)
    folder = tmp_path / "engine"
    with caplog.at_level(logging.INFO, "leukoscope"):
        prepare_engine(EnginePlan(reader, "auto", None), folder)
        prepare_engine(EnginePlan(reader, "auto", None), folder)
    assert len(exports) == 1
    assert load_engine(folder) is None
    assert {path.name for path in folder.iterdir()} == {"engine.json"}
    assert "on 8 drawn smears a probability differs by 0.00" in caplog.text
    with pytest.raises(InputError, match="cannot answer by ONNX Runtime: on 8 drawn smears"):
        prepare_engine(EnginePlan(reader, "onnx", None), folder)


def test_what_cannot_be_converted_is_answered_by_keras(reader, tmp_path, monkeypatch, caplog):
    def fail(self):
        raise ValueError("Unsupported ops: Counter({'StatelessIf': 1})")

    monkeypatch.setattr(Exporter, "write_for_reader", fail)
    with caplog.at_level(logging.INFO, "leukoscope"):
        prepare_engine(EnginePlan(reader, "auto", None), tmp_path / "engine")
    assert "its export failed (ValueError: Unsupported ops" in caplog.text
    assert load_engine(tmp_path / "engine") is None


def test_a_full_disk_is_no_fault_of_the_model(reader, tmp_path, monkeypatch):
    def fail(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Exporter, "write_for_reader", fail)
    with pytest.raises(OSError, match="No space"):
        prepare_engine(EnginePlan(reader, "auto", None), tmp_path / "engine")
    assert not (tmp_path / "engine").exists()


def test_where_memory_is_short_keras_answers(exports, reader, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100))
    with caplog.at_level(logging.INFO, "leukoscope"):
        prepare_engine(EnginePlan(reader, "auto", None), tmp_path / "engine")
    assert exports == []
    assert "0.0 GiB are free. Keras answers" in caplog.text


def test_without_the_extra_keras_answers_unless_onnx_was_asked_for(reader, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with caplog.at_level(logging.INFO, "leukoscope"):
        prepare_engine(EnginePlan(reader, "auto", None), tmp_path / "engine")
    assert "tf2onnx" in caplog.text
    assert caplog.text.rstrip().endswith("Keras answers")
    with pytest.raises(InputError, match=r"pip install .*\[export\]"):
        prepare_engine(EnginePlan(reader, "onnx", None), tmp_path / "engine")


@pytest.mark.parametrize(("exported", "counted"), [("content", 0), ("other", 1)])
def test_an_opinion_that_rounding_decides_may_be_another_and_no_other(reader, exported, counted, request):
    """Limits are learned from validation images, of which one may lie right there."""
    onnx = OnnxClassifier.stand_in(request.getfixturevalue(exported), reader.classifier)
    probabilities = [one.predict_calibrated(FIELDS).max(axis=1) for one in (reader, reader.answered_by(onnx))]
    place = int(np.abs(probabilities[1] - probabilities[0]).argmax())
    between = float(probabilities[0][place] + probabilities[1][place]) / 2
    reader = replace(reader, calibration=reader.calibration._replace(threshold=between))
    opinions = [one.read(FIELDS).opinions.loc[place, "opinion"] for one in (reader, reader.answered_by(onnx))]
    assert opinions[0] != opinions[1]
    assert Agreement.measure(reader, onnx, "fields", FIELDS).opinions == counted


def test_it_is_held_against_keras_on_validation_images_where_they_are_packed(reader, few_images):
    validation = reader.seen.loc[reader.seen["split"] == "validation", "sha256"].tolist()
    records = pd.DataFrame(
        {"sha256": [*validation, "another", validation[0]], "row": [*range(len(validation)), 90, None]}
    )
    packed = SimpleNamespace(records=records, pixels=np.zeros((100, SIZE, SIZE, 3), np.uint8))
    packed.pixels[: len(validation)] = 7
    words, pixels = choose_images(reader, packed)
    assert words == "8 validation images"
    assert (pixels == 7).all()
    packed.pixels = np.zeros((100, 64, 64, 3), np.uint8)
    assert choose_images(reader, packed)[0] == "8 drawn smears"
    assert choose_images(reader, None)[1].shape == (8, SIZE, SIZE, 3)


def test_another_or_no_runtime_does_not_answer_by_what_was_checked_under_this_one(made, monkeypatch):
    facts = json.loads((made / "engine.json").read_text())
    (made / "engine.json").write_text(json.dumps(facts | {"onnxruntime": "0.1"}))
    assert load_engine(made) is None
    (made / "engine.json").write_text(json.dumps(facts))
    assert load_engine(made)
    monkeypatch.setattr(engine, "_find_runtime", lambda: None)
    assert load_engine(made) is None


def test_what_is_no_network_answers_by_itself(exports, reader, tmp_path):
    crafted = replace(reader, classifier=SimpleNamespace(place=base.FOLDER, fingerprint="a forest"))
    prepare_engine(EnginePlan(crafted, "auto", None), tmp_path / "engine")
    assert exports == []
    assert not (tmp_path / "engine").exists()
    assert crafted.engine_title == "itself"
    with pytest.raises(InputError, match="is no network, and only networks answer by ONNX"):
        prepare_engine(EnginePlan(crafted, "onnx", None), tmp_path / "engine")


def test_reading_with_it_never_imports_keras(made, reader, tmp_path):
    reader.save(tmp_path)
    np.save(tmp_path / "smears.npy", SMEARS)
    code = (
        "import sys, pathlib, numpy as np\n"
        "from leukoscope.reader.engine import EnginePlan, load_engine, prepare_engine\n"
        "from leukoscope.reader.second_reader import SecondReader\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "reader = SecondReader.load(folder, lazily=True)\n"
        "prepare_engine(EnginePlan(reader, 'onnx', None), folder / 'engine')\n"
        "answering = reader.answered_by(load_engine(folder / 'engine'))\n"
        "answering.read(np.load(folder / 'smears.npy')).opinions.to_parquet(folder / 'opinions.parquet')\n"
        "print(sorted({'keras', 'tensorflow', 'mlflow'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
    opinions = pd.read_parquet(tmp_path / "opinions.parquet")
    pd.testing.assert_frame_equal(opinions, reader.read(SMEARS).opinions, atol=1e-5)
