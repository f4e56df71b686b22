"""A scheduler that is lost at whatever moment is one line."""

import time
from collections import deque
from types import SimpleNamespace

import pytest
from distributed import CancelledError, Client, Future, KilledWorker
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError

from killed_cluster import run_cluster
from leukoscope.cluster import parts as cluster_parts
from leukoscope.cluster.loss import telling_of_loss
from leukoscope.cluster.parts import Workers
from leukoscope.core.errors import InputError
from leukoscope.core.parting import Part
from made_parts import double


@pytest.mark.parametrize("error", [CancelledError(), CommClosedError("closed"), OSError("Timed out trying to connect")])
def test_whatever_says_that_nobody_answers_is_told_in_a_line(error):
    with pytest.raises(InputError, match="gone"), telling_of_loss(SimpleNamespace(status="running"), "gone"):
        raise error


@pytest.mark.parametrize(
    "error", [ClosedClientError("closed"), AttributeError("ncores"), ValueError("No clients found")]
)
def test_whatever_a_closed_client_says_is_told_in_a_line(error):
    client = SimpleNamespace(status="running")

    def ask() -> None:
        client.status = "closed"
        raise error

    with pytest.raises(InputError, match="gone"), telling_of_loss(client, "gone"):
        ask()


def test_a_client_that_connects_anew_is_asked_nothing():
    with pytest.raises(InputError, match="gone"), telling_of_loss(SimpleNamespace(status="connecting"), "gone"):
        pytest.fail("it was asked")


@pytest.mark.parametrize("error", [TimeoutError(), KilledWorker("task", None, 3), ZeroDivisionError()])
def test_what_says_nothing_of_the_scheduler_is_no_loss(error):
    with pytest.raises(type(error)), telling_of_loss(SimpleNamespace(status="running"), "gone"):
        raise error


@pytest.mark.slow
@pytest.mark.parametrize("noticed", ["running", "connecting", "closed"])
@pytest.mark.parametrize(
    ("owner", "call"),
    [(Client, "nthreads"), (Client, "submit"), (Future, "result"), (cluster_parts._Run, "_wait")],
    ids=["counting", "sending", "reading", "waiting"],
)
def test_a_scheduler_that_is_killed_is_told_in_a_line_at_whatever_moment(tmp_path, monkeypatch, owner, call, noticed):
    monkeypatch.setattr(cluster_parts, "_SECONDS_TO_LOOK", 0.3)
    original, done = getattr(owner, call), []
    with run_cluster(tmp_path / "scheduler.json") as (scheduler, address), Client(address, timeout=3) as client:

        def kill_first(*given, **more):
            if done and scheduler.poll() is None:
                scheduler.kill()
                scheduler.wait()
                while client.status != noticed != "running":
                    assert client.status != "closed"
                    time.sleep(0.005)
            return original(*given, **more)

        monkeypatch.setattr(owner, call, kill_first)
        client.wait_for_workers(2, timeout=120)
        parts = (Part(f"{tmp_path}-{number}", number, 1, tmp_path / f"{number}.tries") for number in range(10**6))
        with pytest.raises(InputError, match=r"^The scheduler of the cluster is gone\. Start it and its workers again"):
            deque(map(done.append, Workers(client).carry_out(double, parts)), maxlen=0)
    assert done
