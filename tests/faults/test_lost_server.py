"""MLflow's server, lost in the middle of a training."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import LoggedModelStatus

from faults.workplace import ask, in_an_epoch
from faults.works import TRAINING

pytestmark = pytest.mark.faults


class Server:
    """``mlflow server``, to be started, killed and started again with the same records.

    Args:
        folder: Of the records.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.database = folder, folder / "server.db"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])
        self.uri = f"http://127.0.0.1:{self._port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", self._port]
        places = ["--backend-store-uri", f"sqlite:///{self.database}", "--artifacts-destination", "artifacts"]
        with (self._folder / "log.txt").open("a") as log:
            self.process = subprocess.Popen(
                [*command, *places], cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 120
        while not self._answers():
            assert time.monotonic() < end, (self._folder / "log.txt").read_text()
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.uri}/health", timeout=1).status == 200
        except OSError:
            return False

    def send(self, number: int) -> None:
        """Send a signal to the server and its workers."""
        if self.process is not None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End the server at once."""
        if self.process is not None:
            self.send(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


def wait(now) -> None:
    while not now():
        time.sleep(0.01)


def require_whole(server: Server) -> None:
    """One run, finished, with each epoch once and one model."""
    assert ask(server.database, "SELECT status FROM runs") == ["FINISHED"]
    steps = ask(server.database, "SELECT step FROM metrics WHERE key = 'epoch/train_loss' ORDER BY step")
    assert steps == [1, 2, 3, 4, 5]
    ready = ask(server.database, f"SELECT name FROM logged_models WHERE status = {LoggedModelStatus.READY.to_int()}")
    assert ready == ["model"]
    assert not ask(
        server.database, f"SELECT name FROM logged_models WHERE status = {LoggedModelStatus.PENDING.to_int()}"
    )
    assert ask(server.database, "SELECT key FROM metrics WHERE key = 'test_accuracy'")


def test_a_server_that_stays_away_costs_no_training_and_is_told_later(workplace, chance, server):
    workplace.reset(TRAINING.outputs)
    tracking = {"MLFLOW_TRACKING_URI": server.uri}
    command = workplace.start(TRAINING.options, tracking)
    wait(in_an_epoch(command, chance))
    server.kill()
    text = command.succeed()
    assert "does not answer" in text
    assert "could not be logged" in text
    summary = (workplace.find_run() / "summary.json").read_bytes()
    server.start()
    workplace.start(TRAINING.options, tracking).succeed()
    require_whole(server)
    assert (workplace.find_run() / "summary.json").read_bytes() == summary


def test_a_server_that_comes_back_has_everything_at_the_end(workplace, chance, server):
    workplace.reset(TRAINING.outputs)
    command = workplace.start(TRAINING.options, {"MLFLOW_TRACKING_URI": server.uri})
    wait(in_an_epoch(command, chance))
    server.kill()
    wait(lambda: "does not answer" in " ".join(command.text.split()) or not command.is_running)
    server.start()
    text = command.succeed()
    assert "answers again" in text
    assert "could not be logged" not in text
    require_whole(server)


def test_a_server_that_hangs_for_a_while_has_everything_at_the_end(workplace, chance, server):
    workplace.reset(TRAINING.outputs)
    command = workplace.start(TRAINING.options, {"MLFLOW_TRACKING_URI": server.uri})
    wait(in_an_epoch(command, chance))
    server.send(signal.SIGSTOP)
    time.sleep(20)
    server.send(signal.SIGCONT)
    command.succeed()
    require_whole(server)
