import io
import json
import logging

import numpy as np
import pytest
from mlflow.pyfunc import PythonModelContext
from mlflow.pyfunc.scoring_server import predictions_to_json

from leukoscope.core.errors import InputError
from leukoscope.reader.opinion_log import OpinionLog
from leukoscope.serving.model import ARTIFACT, OPINION_LOG, SecondReaderModel, open_log
from served_reader import GOOD, LIMITS, PICTURE
from tiny_reader import make_reader


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start what a server serves."""
    monkeypatch.setattr("leukoscope.serving.guard.guard_server", lambda limits: None)
    (tmp_path / "reader").mkdir()
    make_reader().save(tmp_path / "reader")

    def load() -> SecondReaderModel:
        model = SecondReaderModel()
        model.load_context(PythonModelContext({ARTIFACT: str(tmp_path / "reader")}, LIMITS._asdict()))
        return model

    return load


def test_a_server_logs_where_it_was_asked_to_and_answers_all_the_same(start, tmp_path, monkeypatch, caplog):
    log = OpinionLog(tmp_path / "opinions.db")
    monkeypatch.setenv(OPINION_LOG, str(log.path))
    model = start()
    assert len(log.load()) == 0  # what it read to get ready is none
    answer = model.answer(GOOD)
    model.answer(json.dumps({"inputs": [{"image": PICTURE}] * 2}).encode())
    table = log.load()
    assert table["source"].tolist() == ["server"] * 3
    assert table["certainty"].iloc[0] == pytest.approx(answer.filter(like="probability_").iloc[0, :4].max())
    assert table["together"].isna().tolist() == [True, False, False]
    assert table["together"].nunique() == 1
    assert table["sha256"].isna().all()
    log.path.unlink()
    log.path.mkdir()
    with caplog.at_level(logging.ERROR, "leukoscope"):
        assert model.answer(GOOD).equals(answer)
    assert "An opinion was given and is not in the log for monitoring." in caplog.text


def test_what_a_server_does_not_know_is_null(start):
    told = io.StringIO()
    predictions_to_json(start().answer(GOOD), told)
    [answer] = json.loads(told.getvalue())["predictions"]
    assert (answer["warning"], answer["scale"]) == (None, None)


def test_a_server_logs_nothing_by_default(start, tmp_path, monkeypatch):
    monkeypatch.delenv(OPINION_LOG, raising=False)
    assert start().log is None
    assert np.all([path.name == "reader" for path in tmp_path.iterdir()])


def test_a_server_does_not_start_with_a_log_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv(OPINION_LOG, str(tmp_path))
    with pytest.raises(InputError, match="No opinion can be added to the log"):
        open_log()
