"""Whether MLflow's records can be reached shows within seconds, and in one line."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from leukoscope.core.errors import InputError
from leukoscope.hooks import server
from leukoscope.hooks.outbox import first_line


@pytest.fixture
def closed_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_database(path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (name TEXT)")
        connection.executemany("INSERT INTO runs VALUES (?)", [("x" * 100,)] * 500)
        connection.commit()


@pytest.fixture
def closed_door() -> Iterator[str]:
    """A server that wants a password, as a proxy before MLflow does."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers.get("Authorization") == "Basic YW5uOnJpZ2h0" else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Door) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_server_that_refuses_the_user_is_told_from_one_that_is_down(closed_door, password, monkeypatch):
    if password:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
    with pytest.raises(InputError, match=r"refuses the user .* \(status 401\): correct MLFLOW_TRACKING_USER"):
        server.require_server(closed_door)
    assert not server.answers(closed_door)


def test_the_right_password_opens(closed_door, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "right")
    server.require_server(closed_door)


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql+pymysql"])
def test_a_server_that_is_down_is_named_with_the_reason(closed_port, scheme):
    uri = f"{scheme}://127.0.0.1:{closed_port}/x"
    assert not server.answers(uri)
    with pytest.raises(
        InputError, match=f"{scheme.replace('+', '.')}://127.0.0.1:{closed_port}/x does not answer: .*ref"
    ):
        server.require_server(uri)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:99999", "http://", "postgresql://127.0.0.1:many/x"])
def test_an_address_that_is_none_is_refused(uri):
    with pytest.raises(InputError, match="does not answer"):
        server.require_server(uri)


def test_any_answer_is_an_answer():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        assert server.answers(f"postgresql://127.0.0.1:{port}/x")


@pytest.mark.parametrize("uri", ["file:", "file:///tmp/x", "/tmp/x", "mlruns"])
def test_folders_are_refused_with_what_to_give_instead(uri):
    with pytest.raises(InputError, match="sqlite:///PATH"):
        server.require_server(uri)


def test_a_sound_database_and_one_to_be_made_pass(tmp_path):
    write_database(tmp_path / "mlflow.db")
    server.require_server(f"sqlite:///{tmp_path}/mlflow.db")
    server.require_server(f"sqlite:///{tmp_path}/new.db")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("damage", ["text", "cut", "zeros"])
def test_a_damaged_database_is_named(tmp_path, damage):
    path = tmp_path / "mlflow.db"
    write_database(path)
    content = path.read_bytes()
    damaged = {"text": b"no database" * 99, "cut": content[:9000], "zeros": content[:4096] + bytes(len(content) - 4096)}
    path.write_bytes(damaged[damage])
    with pytest.raises(InputError, match=rf"database {path} is damaged"):
        server.require_server(f"sqlite:///{path}")


def test_a_locked_database_is_told_from_a_damaged_one(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_SECONDS", 0)
    path = tmp_path / "mlflow.db"
    write_database(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match="cannot be written: database is locked"):
            server.require_server(f"sqlite:///{path}")


def test_a_database_in_no_folder_and_a_folder_for_one_are_refused(tmp_path):
    with pytest.raises(InputError, match=f"no folder at {tmp_path}/none"):
        server.require_server(f"sqlite:///{tmp_path}/none/mlflow.db")
    with pytest.raises(InputError, match=f"a folder at {tmp_path}"):
        server.require_server(f"sqlite:///{tmp_path}")


def test_a_database_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    """SQLite opens one on a read-only disk all the same, and lets a transaction begin."""
    write_database(tmp_path / "mlflow.db")
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options)
    )
    with pytest.raises(InputError, match=r"cannot be written: attempt to write a readonly database\."):
        server.require_server(f"sqlite:///{tmp_path}/mlflow.db")


def test_what_mlflow_says_of_its_database_is_said_once(tmp_path, caplog):
    """MLflow logs a traceback, and raises the error too."""
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    client.create_experiment("one")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("DROP TABLE experiments")
    with pytest.raises(MlflowException) as error:
        client.create_experiment("two")
    assert first_line(error.value) == "no such table: experiments"
    assert not [record for record in caplog.records if record.exc_info]


def test_a_run_that_is_killed_while_the_database_is_made_leaves_none(tmp_path, monkeypatch):
    """MLflow cannot go on with one that has half of its tables."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"

    def die(engine) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlflow.store.db.utils._upgrade_db", die)
        with pytest.raises(KeyboardInterrupt), server.hold_database(uri):
            mlflow.MlflowClient(uri).search_experiments()
    assert not list(tmp_path.glob("*.db"))
    with server.hold_database(uri):
        assert [experiment.name for experiment in mlflow.MlflowClient(uri).search_experiments()] == ["Default"]
