import logging
from types import SimpleNamespace

import pytest

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.images.source import open_any
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.monitoring.options import MonitoringOptions
from leukoscope.pipelines.predict import nodes
from leukoscope.pipelines.reader.options import ReaderOptions
from tiny_reader import encode, make_reader, shade

READER = make_reader(drawn=10)
# Predicts as the reader's classifier does, and is another object.
ENGINE = SimpleNamespace(fingerprint=READER.classifier.fingerprint, predict=READER.classifier.predict)


@pytest.fixture
def folder(tmp_path):
    for brightness in (40, 100, 220):
        (tmp_path / f"{brightness}.png").write_bytes(encode(shade(brightness)))
    return open_any(tmp_path)


def plan(folder, engine, choice: str = "auto"):
    options = ReaderOptions(engine=choice), IngestionOptions(), ClusterOptions(), MonitoringOptions()
    return nodes.read_images(folder, READER, engine, *options)


@pytest.mark.parametrize("engine", [None, SimpleNamespace(fingerprint="another")])
def test_where_only_onnx_may_answer_keras_does_not(folder, engine):
    with pytest.raises(InputError, match=r"reader.engine is onnx, and there is no file of mobilenet_v2"):
        plan(folder, engine, "onnx")


@pytest.mark.parametrize(
    ("engine", "choice", "title"),
    [
        (ENGINE, "auto", "ONNX Runtime"),
        (ENGINE, "onnx", "ONNX Runtime"),
        (ENGINE, "keras", "Keras"),
        (None, "auto", "Keras"),
        (SimpleNamespace(fingerprint="another"), "auto", "Keras"),
    ],
)
def test_opinions_and_log_say_what_answered(folder, engine, choice, title, caplog):
    with caplog.at_level(logging.INFO, "leukoscope"):
        reading = plan(folder, engine, choice)
    assert f"mobilenet_v2 answers by {title}" in caplog.text
    table = next(reading.read())
    assert set(table["engine"]) == {title}
    assert table["opinion"].tolist() == ["Pre", "Benign", "Pro"]


def test_opinions_of_another_engine_are_not_kept(folder):
    assert plan(folder, ENGINE).key != plan(folder, None).key


def test_that_a_reader_learned_from_drawn_smears_is_said(folder, caplog):
    plan(folder, None)
    assert "Leukoscope drew 10 of the 55 images" in caplog.text
