"""Entries are delivered in order, wait while MLflow does not answer, and are left out only where it refuses them."""

import pytest
from mlflow.exceptions import MlflowException
from requests import Response
from requests.exceptions import ConnectionError as NoConnectionError
from requests.exceptions import HTTPError

from leukoscope.hooks import outbox
from leukoscope.hooks.outbox import Outbox


class Server:
    def __init__(self, monkeypatch) -> None:
        self.up, self.taken, self.looks, self.now = True, [], 0, 0.0
        monkeypatch.setattr(outbox.time, "monotonic", lambda: self.now)
        self.outbox = Outbox(self.look, "http://there")

    def look(self) -> bool:
        self.looks += 1
        return self.up

    def send(self, name: str) -> bool:
        def entry() -> None:
            if not self.up:
                raise NoConnectionError("Failed to establish a new connection")
            self.taken.append(name)

        return self.outbox.send(entry)


@pytest.fixture
def server(monkeypatch) -> Server:
    return Server(monkeypatch)


def test_what_waits_is_delivered_first_once_the_server_answers(server, caplog):
    assert server.send("a")
    server.up = False
    assert not server.send("b")
    assert not server.send("c")
    server.up, server.now = True, 60.0
    with caplog.at_level("INFO", "leukoscope"):
        assert server.send("d")
    assert server.taken == ["a", "b", "c", "d"]
    assert caplog.text.count("does not answer") == 1
    assert "answers again" in caplog.text


def test_a_lost_server_is_looked_for_now_and_then_only(server):
    server.up = False
    for _ in range(5):
        server.send("a")
    assert server.looks == 0
    server.now = 16.0
    for _ in range(5):
        server.send("a")
    assert server.looks == 1


def test_a_server_that_is_seen_to_be_gone_is_not_asked(server):
    server.up = False
    assert not server.outbox.is_open()
    server.up = True
    assert not server.send("a")  # until the next look
    server.now = 16.0
    assert server.outbox.is_open()
    assert server.taken == ["a"]


def test_what_is_left_at_the_end_is_counted(server, caplog):
    server.up = False
    server.send("a")
    server.send("b")
    server.outbox.close()
    assert "2 entries could not be logged to http://there" in caplog.text
    server.up = True
    server.outbox.close()
    assert server.taken == ["a", "b"]


def test_what_fails_again_stays_first(server):
    server.up = False
    for name in "abc":
        server.send(name)
    for now in (100.0, 200.0):  # looked at, and lost again by the entry itself
        server.now = now
        server.outbox._answers = lambda: True
        server.outbox.deliver()
    server.up, server.now = True, 9000.0
    assert server.outbox.deliver()
    assert server.taken == ["a", "b", "c"]


def test_a_server_that_answers_nothing_but_looks_is_left_alone_ever_longer(server):
    tries = []

    def hanging() -> None:
        tries.append(server.now)
        raise NoConnectionError("Read timed out")

    server.outbox.send(hanging)
    for second in range(1, 500):
        server.now = float(second)
        server.outbox.deliver()
    assert tries == [0, 15, 45, 105, 225, 465]


@pytest.mark.parametrize("code", ["INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"])
def test_what_is_refused_is_left_out_and_said(server, caplog, code):
    def refused() -> None:
        raise MlflowException("no such name\nand more", error_code=outbox_code(code))

    assert server.outbox.send(refused)
    assert server.send("a")
    assert server.taken == ["a"]
    assert "left out: MlflowException: no such name" in caplog.text


def http_error(status: int) -> HTTPError:
    response = Response()
    response.status_code = status
    return HTTPError("x", response=response)


def outbox_code(name: str) -> int:
    from mlflow.protos import databricks_pb2

    return databricks_pb2.ErrorCode.Value(name)


def test_a_fault_of_our_own_costs_no_run_and_is_said(server, caplog):
    def faulty() -> None:
        raise KeyError("x")

    assert server.outbox.send(faulty)
    assert "left out: KeyError: 'x'" in caplog.text
    assert server.send("a")


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (NoConnectionError("x"), True),
        (OSError(28, "No space left on device"), True),
        (OSError("a damaged file"), False),
        (MlflowException("locked"), True),  # an INTERNAL_ERROR
        (MlflowException("bad name", error_code=outbox_code("INVALID_PARAMETER_VALUE")), False),
        (ValueError("x"), False),
        (FileNotFoundError(2, "x"), False),
        (PermissionError(13, "x"), False),
        (http_error(413), False),
        (http_error(403), False),
        (http_error(503), True),
        *((MlflowException("x", error_code=outbox_code(name)), True) for name in outbox._PASSING),
    ],
)
def test_faults_that_may_pass_are_told_from_others(error, passing):
    assert outbox.is_passing(error) is passing


def test_a_failure_of_mlflow_is_explained_whatever_wraps_it():
    error = RuntimeError("in a data set")
    error.__cause__ = MlflowException("The registry is gone.\nAnd more")
    assert str(outbox.explain_tracking(error)).startswith("MLflow failed: The registry is gone. What was computed")
    assert outbox.explain_tracking(RuntimeError("x")) is None


def test_the_cause_alone_is_said_of_a_lost_connection():
    text = """API request to http://a/b failed with exception HTTPConnectionPool(host='a', port=1): Max retries
    exceeded (Caused by NewConnectionError("<u>: Failed to establish a new connection: [Errno 111] refused"))"""
    assert outbox.first_line(RuntimeError(text)) == "Failed to establish a new connection: [Errno 111] refused"
    assert outbox.first_line(RuntimeError("One.\nTwo.")) == "One"
    assert outbox.first_line(RuntimeError()) == "RuntimeError"
