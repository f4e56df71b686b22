import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import AlarmError, InputError
from leukoscope.evaluation import drift
from leukoscope.evaluation.monitoring import COLUMNS, Reader
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.pipelines.monitoring import nodes
from leukoscope.pipelines.monitoring.options import MonitoringOptions
from leukoscope.reader.opinion_log import tabulate_reading
from leukoscope.reporting.frame import Frame
from named_columns import list_unnamed
from tiny_reader import CLASS_NAMES, make_reader, shade


@pytest.fixture(scope="module")
def reader():
    """It learned from half of what it knows."""
    made = make_reader()
    return replace(made, seen=made.seen.assign(split=np.where(np.arange(len(made.seen)) % 2, "train", "validation")))


@pytest.fixture(scope="module")
def evaluated(reader) -> dict:
    """What an evaluation of the reader's classifier left."""
    features = reader.seen
    fields = np.stack([shade(int(name.split("/")[1])) for name in features["image_id"]])
    chances = pd.DataFrame(reader.predictor.predict(fields)[0], columns=probability_columns(CLASS_NAMES))
    return {
        "calibrations": {"tiny": reader.calibration.describe},
        "predictions": {"tiny": lambda: features[["image_id", "split", "label"]].join(chances)},
        "features": {"tiny": lambda: features},
        "splits": features[["image_id", "split"]].assign(group=np.arange(len(features)) // 2),
        "class_names": list(CLASS_NAMES),
    }


def read(reader, shades) -> pd.DataFrame:
    reading = reader.read(np.stack([shade(int(one)) for one in shades]))
    return tabulate_reading(reader, reading, "predict", None).assign(read_at="2026-11-03T10:00:00+00:00")


def test_validation_images_are_reduced_as_opinions_are(reader, evaluated):
    log = read(reader, [41, 99])
    facts = nodes.summarise_validation(log, **evaluated)
    assert list(facts) == [Reader(reader.classifier.fingerprint, reader.calibration.seal)]
    [table] = facts.values()
    assert set(table) == set(log) - {
        *("read_at", "source", "model", "model_fingerprint", "calibration", "together", "sha256")
    } | {"image_id", "group"}
    assert len(table) == 28
    near = table.iloc[(table["image_id"] == "Shade/100").to_numpy().argmax()]
    same = read(reader, [100]).iloc[0]
    assert near["certainty"] == pytest.approx(same["certainty"])
    assert near["likeliest"] == same["likeliest"] == "Pre"


def test_opinions_without_validation_images_are_told(reader, evaluated, caplog):
    log = read(reader, [41, 99])
    with pytest.raises(InputError, match="None of the 2 opinions in the log, of mobilenet_v2, is of a model that is"):
        nodes.summarise_validation(log.assign(calibration="another"), **evaluated)
    with pytest.raises(InputError, match="The log of opinions is empty"):
        nodes.summarise_validation(log[:0], **evaluated)
    with caplog.at_level(logging.WARNING, "leukoscope"):
        nodes.summarise_validation(pd.concat([log, log.assign(model_fingerprint="gone")]), **evaluated)
    assert "an earlier calibration: 2 of 4" in caplog.text


def test_darker_images_are_warned_of_and_a_page_shows_them(reader, evaluated, caplog, monkeypatch):
    monkeypatch.setattr(drift, "_DRAWS", 399)
    log = read(reader, np.linspace(20, 90, 30))
    options = MonitoringOptions(min_images=20)
    table = nodes.judge_windows(log, nodes.summarise_validation(log, **evaluated), options, 1)
    assert list(table) == COLUMNS
    assert list_unnamed("monitoring", table) == []
    assert "In the week from 2026-11-02, of 30 images, something differs" in caplog.text
    assert nodes.count_alarms(table)["monitoring_last_alarm"] == 1
    manifest = pd.DataFrame({"status": ["accepted"] * 2, "drawn": [True, False]})
    pages = ("comparison.html", "mobilenet_v2/report.html")
    frame = Frame("my smears", "real smears", "2026-11-20", "demo", pages, {"leukoscope": "1"})
    entry = {"kind": "network", "architecture": "mobilenet_v2", "name": "mobilenet_v2", "label": "MobileNetV2, mine"}
    page = nodes.write_monitoring(table, manifest, frame, {"mobilenet_v2": entry}, options)
    assert '<a href="comparison.html">Models compared</a>' in page
    assert '<a href="mobilenet_v2/report.html">MobileNetV2, mine</a>' in page
    head = page.partition("<main>")[0]
    assert "my smears" in head
    assert "In the week from 2026-11-02, of 30 images, something differs" in head
    assert page.count('<details class="fold">') == 5  # with the glossary
    assert "<title>Drawn data: Monitoring: MobileNetV2, mine" in page
    assert "shares of classes" in page
    assert "more Pro" in page
    assert nodes.require_no_alarm(table, page, options).startswith("In the week from 2026-11-02")
    with pytest.raises(AlarmError, match=r"more Pro.*monitoring.html shows it") as caught:
        nodes.require_no_alarm(table, page, MonitoringOptions(fail_on_alarm=True))
    assert caught.value.exit_code == 3


def test_no_alarm_is_no_error(reader, evaluated):
    log = read(reader, range(20, 240, 16))  # half of the validation images
    options = MonitoringOptions(fail_on_alarm=True, min_images=10)
    table = nodes.judge_windows(log, nodes.summarise_validation(log, **evaluated), options, 1)
    assert "no difference from the validation images was shown" in nodes.require_no_alarm(table, "", options)
