"""Photographs of many fields that are sent to a server."""

import base64
import io
import json

import pytest
from mlflow.pyfunc import PythonModelContext
from mlflow.pyfunc.scoring_server import predictions_to_json

from leukoscope.app.tiles import read_in_tiles
from leukoscope.reader.opinion_log import OpinionLog
from leukoscope.reader.photographs import make_field
from leukoscope.serving.answers import TILES
from leukoscope.serving.model import ARTIFACT, RefusedRequestError, SecondReaderModel
from served_reader import LIMITS, PICTURE
from tiny_reader import ScaleBySize, draw_photograph, encode, make_reader

WIDE = base64.b64encode(encode(draw_photograph())).decode()


@pytest.fixture
def model(tmp_path, monkeypatch):
    """What a server serves, with a reader that takes large images for photographs."""
    monkeypatch.setattr("leukoscope.serving.guard.guard_server", lambda limits: None)
    (tmp_path / "reader").mkdir()
    make_reader().save(tmp_path / "reader")
    model = SecondReaderModel()
    config = LIMITS._asdict() | {"max_pixels": 20_000, "max_request_pixels": 50_000}
    model.load_context(PythonModelContext({ARTIFACT: str(tmp_path / "reader")}, config))
    model.reader = model.reader.at_scale(ScaleBySize())
    return model


def ask(model, *images: str) -> list[dict]:
    told = io.StringIO()
    predictions_to_json(model.answer(json.dumps({"inputs": [{"image": image} for image in images]}).encode()), told)
    return json.loads(told.getvalue())["predictions"]


def test_a_photograph_is_read_in_tiles_with_the_words_of_the_page(model, caplog):
    before, photograph, after = ask(model, PICTURE, WIDE, PICTURE)
    pixels = draw_photograph()
    field = make_field(model.reader, pixels)
    shown = read_in_tiles(model.reader, pixels, field.tiles)
    assert (photograph["opinion"], photograph["reason"]) == ("abstained", "a photograph of many fields")
    assert photograph["warning"] == field.warning
    assert photograph["warning"].startswith("a photograph of many fields: 3.0 times as many")
    assert photograph["tiles"] == shown.counts == {"Early": 6, "Pro": 6}
    assert photograph["probability_early"] == pytest.approx(shown.probabilities["Early"], abs=1e-6)
    assert photograph["probability_malignant"] == pytest.approx(shown.malignant, abs=1e-6)
    assert photograph["ood_score"] == pytest.approx(shown.ood_score)
    assert photograph["prediction_set"] is None
    assert before == after == ask(model, PICTURE)[0]
    assert (before["opinion"], before["warning"], before["scale"], before["tiles"]) == ("Pre", None, 1.0, None)
    assert caplog.text.count("each is read in tiles, and gets no opinion") == 1


def test_a_request_of_nothing_but_a_photograph_has_the_same_columns(model):
    [photograph], [field] = ask(model, WIDE), ask(model, PICTURE)
    assert set(photograph) == set(field)


def test_photographs_are_not_logged_for_monitoring(model, tmp_path):
    model.log = OpinionLog(tmp_path / "opinions.db")
    ask(model, WIDE)
    ask(model, PICTURE, WIDE)
    assert len(model.log.load()) == 1


def test_tiles_are_read_in_turns_of_a_few(model, monkeypatch):
    read, counts = type(model.reader).read, []
    monkeypatch.setattr(
        type(model.reader), "read", lambda self, pixels: counts.append(len(pixels)) or read(self, pixels)
    )
    monkeypatch.setattr("leukoscope.serving.answers._TOGETHER", 5)
    assert ask(model, WIDE)[0][TILES] == {"Early": 6, "Pro": 6}
    assert counts == [5, 5, 2]


def test_photographs_of_too_many_tiles_are_refused(model):
    model.limits = model.limits._replace(max_tiles=20)
    assert len(ask(model, WIDE)) == 1
    with pytest.raises(RefusedRequestError, match=r"more than 20 tiles .* Send several requests, or cut them\.$"):
        ask(model, WIDE, WIDE)
