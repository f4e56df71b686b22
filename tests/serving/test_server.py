"""What MLflow's own server answers, in this process, to whatever a client may send."""

import asyncio
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fastapi
import httpx
import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from leukoscope.serving.guard import BodyLimit, guard_server
from served_reader import GOOD, JSON, LIMITS, NASTY, PICTURE, Client, read_message


@pytest.mark.parametrize("body", NASTY.values(), ids=NASTY)
def test_a_body_that_is_no_request_is_refused(client, body):
    response = client.post(body)
    assert response.status_code == 400
    assert "Expected" in read_message(response)
    assert client.post(GOOD).status_code == 200


SHAPES = [None, 1, "x", [], {}, [1], [None], [{}], [[1, 2], [3]], [PICTURE], [{"image": PICTURE}, 1]]
SHAPES += [[{"image": PICTURE}, {"picture": PICTURE}], {"image": 7}, {"image": []}, {"image": [1]}, {"image": {}}]
SHAPES += [
    {"columns": ["image"], "data": rows} for rows in (PICTURE, [[PICTURE], [PICTURE] * 2], [PICTURE], [[]], None)
]
SHAPES += [{"columns": ["image"] * 2, "data": [[PICTURE] * 2]}, {"columns": "image", "data": [[PICTURE]]}]
SHAPES += [{"columns": [["image"], {}], "data": [[1, 2]]}, {"data": [[PICTURE]]}, {"columns": ["image"]}]


@pytest.mark.parametrize("form", ["inputs", "instances", "dataframe_records", "dataframe_split"])
@pytest.mark.parametrize("content", SHAPES, ids=lambda content: json.dumps(content).replace(PICTURE, "P")[:40])
def test_a_form_of_another_shape_is_refused(client, form, content):
    response = client.post(json.dumps({form: content}).encode())
    assert response.status_code == 400
    assert read_message(response)


@pytest.mark.parametrize(
    "content",
    [
        {"inputs": [{"image": PICTURE}, {"image": PICTURE, "id": 7}]},
        {"inputs": {"image": [PICTURE, PICTURE], "id": [1]}},
        {"instances": [{"image": PICTURE}] * 2, "params": {"cells": False}},
        {"dataframe_records": [{"image": PICTURE}] * 2},
        {"dataframe_split": {"columns": ["id", "image"], "index": [5, 6], "data": [[1, PICTURE], [None, PICTURE]]}},
    ],
)
def test_each_form_is_read(client, content):
    response = client.post(json.dumps(content).encode(), "Application/JSON; charset=UTF-8")
    assert response.status_code == 200
    assert [row["opinion"] for row in response.json()["predictions"]] == ["Pre", "Pre"]


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/csv",
        "application/vnd.apache.parquet",
        "multipart/form-data",
        ";",
        "json",
        "application/json; charset=utf-16",
        'application/json; charset="',
        "application/x-www-form-urlencoded",
    ],
)
def test_another_content_type_is_refused(client, kind):
    response = client.post(GOOD, kind)
    assert response.status_code == 415
    assert "application/json" in read_message(response)


def test_a_body_of_too_many_bytes_is_refused(client):
    message = read_message(client.post(b" " * 250_001))
    assert message.startswith("The request has more than the 250,000 bytes that are allowed.")


def test_a_request_is_not_kept_waiting_by_a_larger_one(client, model, monkeypatch):
    reader, begun = model.unwrap_python_model().reader, threading.Event()
    decode = type(reader).decode

    def decode_slowly(self, *arguments, **named):
        begun.set()
        time.sleep(0.5)
        return decode(self, *arguments, **named)

    monkeypatch.setattr(type(reader), "decode", decode_slowly)
    large = json.dumps({"inputs": [{"image": PICTURE}] * 3}).encode()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, large)
        assert begun.wait(5)
        assert client.post(GOOD).status_code == 200
        assert not first.done()
        assert first.result().status_code == 200


def test_what_takes_too_long_is_given_up_and_the_next_is_answered(client, model, monkeypatch):
    served, go_on = model.unwrap_python_model(), threading.Event()
    monkeypatch.setattr(served, "limits", LIMITS._replace(max_seconds=0.2))
    monkeypatch.setattr(type(served.reader), "decode", lambda *_, **__: go_on.wait(10))
    response = client.post(GOOD)
    assert response.status_code == 503
    assert read_message(response).startswith("The request was not done within 0.2 seconds: the server is busy")
    go_on.set()
    monkeypatch.undo()
    assert client.post(GOOD).status_code == 200


@pytest.mark.parametrize(("fault", "status"), [(MemoryError(), 503), (RuntimeError("secret\nplace"), 500)])
def test_a_failure_of_the_reader_is_one_line_too(client, model, monkeypatch, caplog, fault, status):
    def fail(*_):
        raise fault

    monkeypatch.setattr(type(model.unwrap_python_model().reader), "read", fail)
    response = client.post(GOOD)
    assert response.status_code == status
    assert "secret" not in read_message(response)
    assert "A request could not be answered" in caplog.text


def test_other_models_are_served_as_before(client, tmp_path):
    class Plain(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input

    mlflow.pyfunc.save_model(tmp_path / "plain", python_model=Plain(), pip_requirements=["mlflow"])
    other = Client(scoring_server.init(mlflow.pyfunc.load_model(str(tmp_path / "plain"))))
    response = other.post(b"a\n7\n", "text/csv")
    assert response.json() == {"predictions": [{"a": 7}]}


def test_in_python_a_refusal_is_an_error_of_one_line(model):
    with pytest.raises(MlflowException, match="not an image of a known format") as refused:
        model.predict(pd.DataFrame({"image": [b"no image\n"]}))
    assert "\n" not in refused.value.message


@pytest.fixture
def limited(model, monkeypatch) -> Client:
    """The server as MLflow's own process makes it."""
    monkeypatch.setenv(scoring_server._SERVER_MODEL_PATH, "model")
    guard_server(LIMITS)
    return Client(scoring_server.init(model))


def test_only_the_servers_own_application_is_limited(limited, model):
    assert [layer.cls for layer in limited.app.user_middleware][-1] is BodyLimit
    assert fastapi.FastAPI().user_middleware == []
    assert os.environ.pop(scoring_server._SERVER_MODEL_PATH)
    guard_server(LIMITS)
    assert fastapi.FastAPI().user_middleware == []


def test_an_endless_body_is_not_received_for_ever(limited):
    read = []

    async def endless():
        while len(read) < 1000:
            read.append(1)
            yield b" " * 10_000

    response = limited.post(endless())
    assert response.status_code == 400
    assert "more than the 250,000 bytes" in read_message(response)
    assert len(read) == 250
    assert limited.post(GOOD).status_code == 200


def test_a_far_too_large_body_is_not_received_at_all(limited):
    sent = []

    async def announced():
        sent.append(1)
        yield b" "

    response = asyncio.run(
        limited._post("/invocations", announced(), {"Content-Type": JSON, "Content-Length": "2500001"})
    )
    assert "more than the 250,000 bytes" in read_message(response)
    assert sent == []


def test_the_bodies_of_all_requests_together_are_bounded(limited):
    """Four of them wait for their last byte: they fill the memory that there is for bodies."""

    async def run() -> httpx.Response:
        go_on = asyncio.Event()

        async def send_slowly():
            yield b" " * 250_000
            await go_on.wait()
            yield b""

        headers = {"Content-Type": JSON}
        waiting = [asyncio.create_task(limited._post("/invocations", send_slowly(), headers)) for _ in range(4)]
        await asyncio.sleep(0.2)
        refused = await limited._post("/invocations", GOOD, headers)
        go_on.set()
        assert {response.status_code for response in await asyncio.gather(*waiting)} == {400}
        return refused

    refused = asyncio.run(run())
    assert refused.status_code == 503
    assert "busy with other large requests" in read_message(refused)
    assert limited.post(GOOD).status_code == 200
