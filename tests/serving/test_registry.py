"""The registry, in a store of its own, and what it serves, over HTTP."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from leukoscope.core.errors import InputError
from leukoscope.serving.registry import ReaderRegistry
from leukoscope.serving.requests import RequestLimits
from tiny_reader import encode, make_reader, shade, vary

LIMITS = RequestLimits(max_images=5, max_bytes=20_000, max_pixels=10_000)
URI = "models:/leukoscope@champion"
PICTURE = base64.b64encode(encode(shade(100))).decode()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")
    experiment = mlflow.create_experiment("readers", artifact_location=str(root / "artifacts"))
    mlflow.set_experiment(experiment_id=experiment)
    yield root
    mlflow.end_run()
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def registry(store) -> ReaderRegistry:
    return ReaderRegistry("leukoscope", "champion", "readers")


@pytest.fixture(scope="module")
def promoted(registry) -> str:
    assert registry.find_champion() is None
    return registry.promote(make_reader(drawn=55), LIMITS, "# The card", {"why": "there was no champion"})


def test_a_promoted_reader_is_the_champion_with_its_reasons_and_card(registry, promoted):
    champion = registry.find_champion()
    assert (champion.version, champion.experiment) == (promoted, "readers")
    assert champion.reader.fingerprint == make_reader().fingerprint
    version = mlflow.MlflowClient().get_model_version_by_alias("leukoscope", "champion")
    assert version.tags["why"] == "there was no champion"
    assert version.description == "# The card"


def test_a_reader_is_not_promoted_over_a_champion_that_it_was_not_held_against(registry, promoted):
    """Another run has promoted one since the candidate was judged."""
    for version, words in (({}, "no version"), ({"champion_version": "99"}, "version 99")):
        with pytest.raises(InputError, match=rf"held against {words} of leukoscope, .* is version {promoted} now"):
            registry.promote(make_reader(threshold=1.0), LIMITS, None, {"why": "better", **version})
    assert registry.find_champion().version == promoted


def test_of_two_promotions_at_once_the_later_leaves_the_champion_alone(registry, promoted, monkeypatch):
    """The other run sets the alias while this one logs its model, which takes long."""
    client, register = mlflow.MlflowClient(), mlflow.register_model

    def register_after_another(uri: str, name: str, tags: dict[str, str]):
        other = register(uri, name)
        client.set_registered_model_alias(name, "champion", other.version)
        return register(uri, name, tags=tags)

    monkeypatch.setattr(mlflow, "register_model", register_after_another)
    with pytest.raises(InputError, match="Nothing was promoted"):
        registry.promote(make_reader(), LIMITS, None, {"why": "better", "champion_version": promoted})
    champion = int(registry.find_champion().version)
    client.set_registered_model_alias("leukoscope", "champion", promoted)
    assert champion == int(promoted) + 1
    versions = {int(version.version) for version in client.search_model_versions("name='leukoscope'")}
    assert versions == {int(promoted), champion}


def test_a_version_is_the_champion_once_it_has_its_card(registry, promoted, monkeypatch):
    """A run that is killed before would leave a champion without one, which no later run gives it."""
    described = []

    def die(client: mlflow.MlflowClient, name: str, alias: str, version: str) -> None:
        described.append(client.get_model_version(name, version).description)
        raise KeyboardInterrupt

    monkeypatch.setattr(mlflow.MlflowClient, "set_registered_model_alias", die)
    with pytest.raises(KeyboardInterrupt):
        registry.promote(make_reader(), LIMITS, "# Another card", {"why": "better", "champion_version": promoted})
    assert described == ["# Another card"]


def test_the_model_says_what_it_takes_and_gives_and_holds_no_pickle(promoted, tmp_path):
    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=URI, dst_path=str(tmp_path)))
    model = mlflow.models.Model.load(folder)
    assert model.metadata["class_names"] == ["Benign", "Early", "Pre", "Pro"]
    assert [one.name for one in model.signature.outputs][:2] == ["opinion", "reason"]
    assert "probability_malignant" in model.signature.outputs.input_names()
    assert model.signature.outputs.input_names()[-1] == "trained_on"
    assert model.metadata["trained_on"] == "drawn images"
    assert model.saved_input_example_info
    requirements = (folder / "requirements.txt").read_text()
    assert {"keras==", "tensorflow==", "kedro=="} <= {line.split("==")[0] + "==" for line in requirements.splitlines()}
    assert (folder / "artifacts/model_card.md").read_text() == "# The card"
    assert not [file for file in folder.rglob("*") if file.suffix in {".pkl", ".pickle", ".joblib"}]


def test_the_loaded_model_reads_bytes_base64_and_arrays(promoted):
    model = mlflow.pyfunc.load_model(URI)
    asked = [encode(shade(100)), PICTURE, vary(shade(100))]
    answers = model.predict(pd.DataFrame({"image": asked}))
    assert answers["opinion"].tolist() == ["Pre"] * 3
    assert answers["trained_on"].tolist() == ["drawn images"] * 3
    expected = make_reader().read(vary(shade(100))[None]).opinions["probability_pre"].iloc[0]
    assert answers["probability_pre"].to_numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("uri", ["models:/leukoscope@nobody", "models:/unknown/1", "models:/leukoscope/99"])
def test_a_model_that_is_not_there_is_an_input_error(registry, promoted, uri):
    with pytest.raises(InputError, match="could not be loaded"):
        registry.fetch(uri)


def test_a_registry_that_does_not_answer_is_not_taken_for_an_empty_one(registry, promoted, monkeypatch):
    def fail(*_: object) -> None:
        raise MlflowException("timed out", TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(mlflow.MlflowClient, "get_model_version_by_alias", fail)
    with pytest.raises(InputError, match=r"does not say whether there is a champion.*timed out"):
        registry.find_champion()


def test_a_model_without_a_champion_has_none(promoted):
    assert ReaderRegistry("leukoscope", "nobody", "readers").find_champion() is None


def test_another_kind_of_model_is_an_input_error(registry, tmp_path):
    plain = tmp_path / "plain.py"
    plain.write_text(
        "import mlflow\n"
        "class Plain(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input):\n"
        "        return model_input\n"
        "mlflow.models.set_model(Plain())\n"
    )
    logged = mlflow.pyfunc.log_model(name="other", python_model=str(plain), pip_requirements=["mlflow"])
    with pytest.raises(InputError, match="no second reader"):
        registry.fetch(logged.model_uri)


def as_records(*images) -> str:
    return json.dumps({"inputs": [{"image": one} for one in images]})


class Server:
    """MLflow's server of the champion, started as people do."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "models",
            "serve",
            "-m",
            URI,
            "--env-manager",
            "local",
            "-p",
            str(port),
        ]
        self.log = store / "server.log"
        self.process = subprocess.Popen(
            command,
            cwd=store,
            env=environment,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self) -> None:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{self.address}/ping", timeout=2)
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.5)
        raise AssertionError(self.log.read_text())

    def post(self, body: bytes, kind: str = "application/json") -> tuple[int, dict]:
        request = urllib.request.Request(f"{self.address}/invocations", body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, {"message": error.read().decode()}

    def ask(self, *images) -> tuple[int, dict]:
        return self.post(as_records(*images).encode())


@pytest.fixture(scope="module")
def server(store, promoted):
    server = Server(store)
    try:
        server.wait()
        yield server
    finally:
        os.killpg(server.process.pid, signal.SIGTERM)
        server.process.wait(20)


@pytest.mark.slow
def test_the_server_answers(server):
    status, answer = server.ask(PICTURE, PICTURE)
    assert status == 200
    assert [one["opinion"] for one in answer["predictions"]] == ["Pre", "Pre"]
    status, answer = server.post(json.dumps({"dataframe_records": [{"image": PICTURE}]}).encode())
    assert (status, answer["predictions"][0]["opinion"]) == (200, "Pre")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            as_records(base64.b64encode(b"no image").decode()),
            "image 1 of 1: not an image of a known format",
        ),
        (as_records(""), "empty file"),
        ("", "valid JSON"),
        ('{"inputs": [', "valid JSON"),
        (json.dumps({"images": [PICTURE]}), "exactly one of the input fields"),
        (as_records(*[PICTURE] * 100), "holds 100 images, and 5 are allowed"),
        (as_records("A" * 50_000_000), "too large: 37,500,000 bytes"),
        (json.dumps({"dataframe_records": [{"a": 1, "b": 2}]}), "has no column `image`"),
        (json.dumps({"inputs": [PICTURE, PICTURE]}), "Row 1 of `inputs` is not a dictionary"),
        ("[" * 100_000, "not valid JSON: recursion limit"),
        ('{"inputs": [{"image": ' + "1" * 5_000 + "}]}", "not valid JSON: number out of range"),
        (" " * 100_000_001, "more than the 100,000,000 bytes that are allowed"),
    ],
    ids=[
        "not an image",
        "0 bytes",
        "empty body",
        "broken JSON",
        "other JSON",
        "100 images",
        "50 MB",
        "other columns",
        "a bare list",
        "deep nesting",
        "a long number",
        "100 MB",
    ],
)
def test_a_bad_request_is_refused_with_a_short_reason(server, body, message):
    status, answer = server.post(body.encode())
    assert status == 400
    assert re.search(message, json.loads(answer["message"])["message"])
    assert len(answer["message"]) < 2_000
    assert "Traceback" not in server.log.read_text()
    assert server.ask(PICTURE)[0] == 200


OTHER = base64.b64encode(encode(shade(220))).decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"control": OTHER, "image": PICTURE}]},
        {"dataframe_split": {"columns": ["control", "image", "id"], "data": [[OTHER, PICTURE, 7]]}},
        {"inputs": [{"id": "7", "image": PICTURE, "control": OTHER}]},
    ],
)
def test_the_opinion_is_on_the_image_and_on_no_other_column(server, body):
    status, answer = server.post(json.dumps(body).encode())
    assert status == 200
    assert [one["opinion"] for one in answer["predictions"]] == ["Pre"]


@pytest.mark.slow
def test_another_content_type_is_refused(server):
    assert server.post(b"x", "image/png")[0] == 415


@pytest.mark.slow
def test_a_request_without_a_content_type_is_refused(server):
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=30)
    connection.request("POST", "/invocations", b"{}")
    answer = connection.getresponse()
    assert answer.status == 415
    assert "must be application/json" in json.load(answer)["message"]


@pytest.mark.slow
def test_a_client_that_leaves_or_announces_too_much_leaves_no_trace(server):
    for announced, expected in ((1_000, b""), (10**12, b"HTTP/1.1 400")):
        host, port = server.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n"
            connection.sendall(f"{head}Content-Type: application/json\r\n\r\nabc".encode())
            if expected:
                assert connection.recv(12) == expected
    assert server.ask(PICTURE)[0] == 200
    assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_a_hundred_at_once_are_all_answered(server):
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: server.ask(PICTURE), range(100)))
    assert {status for status, _ in answers} == {200}
    assert {answer["predictions"][0]["opinion"] for _, answer in answers} == {"Pre"}
