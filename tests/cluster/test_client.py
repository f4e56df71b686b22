"""A cluster is looked at before anything runs, and what is wrong with it is told in one line."""

import os
import platform
import socket
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import pytest
from distributed import Status
from pydantic import ValidationError

from leukoscope import __version__
from leukoscope.cluster import client as connection
from leukoscope.cluster import plugin, work
from leukoscope.cluster.client import connect, is_in_file
from leukoscope.cluster.host import Expected, find_fault
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError


@pytest.fixture
def free_port() -> int:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def expect(tmp_path, **changes) -> Expected:
    (tmp_path / "probe").touch()
    return Expected(str(tmp_path), str(tmp_path / "probe"), platform.node(), False)._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "threads", "words"),
    [
        ({}, 1, None),
        ({}, 2, "has 2 threads"),
        ({"version": "9.9"}, 1, "install the same"),
        ({"python": (3, 1)}, 1, "under 3.1: install the same"),
        ({"project": "/nowhere"}, 1, "no folder /nowhere"),
        ({"probe": "/nowhere/probe"}, 1, "does not see what is written to /nowhere"),
        ({"node": "another", "is_tracked_here": True}, 1, "set MLFLOW_TRACKING_URI"),
        ({"node": "another"}, 1, None),
        ({"is_tracked_here": True}, 1, None),
    ],
)
def test_what_a_worker_lacks_is_told(tmp_path, changes, threads, words):
    fault = find_fault(expect(tmp_path, **changes), threads)
    assert fault is None if words is None else words in fault


def test_what_killed_commands_left_is_removed_and_what_others_need_is_not(tmp_path):
    for name, days in (("old", 31), ("new", 29)):
        (tmp_path / f".probe-{name}").touch()
        seconds = time.time() - days * 24 * 3600
        os.utime(tmp_path / f".probe-{name}", (seconds, seconds))
    with connection._probing(tmp_path) as probe:
        assert set(tmp_path.glob(".probe-*")) == {probe, tmp_path / ".probe-new"}
    assert list(tmp_path.glob(".probe-*")) == [tmp_path / ".probe-new"]


@pytest.mark.parametrize(
    ("uri", "in_file"),
    [(None, False), ("sqlite:////a/mlflow.db", True), ("/a/mlruns", True), ("file:///a", True), ("http://a:5", False)],
)
def test_records_in_a_file_are_told_from_those_of_a_server(uri, in_file):
    assert is_in_file(uri) == in_file


@pytest.mark.parametrize("address", ["", "login1:8786", "tcp://", "http://a:1", "tcp:// "])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValidationError, match="scheduler's address"):
        ClusterOptions(scheduler=address)


def test_without_a_scheduler_there_is_one_line_within_seconds(tmp_path, free_port):
    began = time.monotonic()
    options = ClusterOptions(scheduler=f"tcp://127.0.0.1:{free_port}", timeout=1)
    with (
        pytest.raises(InputError, match=r"No scheduler of Dask answers at tcp://.* within 1 s"),
        connect(options, tmp_path, tmp_path),
    ):
        pass
    assert time.monotonic() - began < 30
    assert list(tmp_path.iterdir()) == []


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with (
        pytest.raises(InputError, match=r'pip install "leukoscope\[cluster\]"'),
        connect(ClusterOptions(workers=1), tmp_path, tmp_path),
    ):
        pass


def test_a_cluster_of_this_machine_divides_its_cores(tmp_path):
    with connect(ClusterOptions(workers=1), tmp_path, tmp_path / "data") as client:
        (cores,) = client.run(work.count_own_cores).values()
        assert cores == len(os.sched_getaffinity(0))
        assert client.submit(os.getpid).result() != os.getpid()
        sockets = client.cluster.scheduler.http_server._sockets.values()
        assert {held.getsockname()[0] for held in sockets} == {"127.0.0.1"}
        assert len(list((tmp_path / "data").glob(".probe-*"))) == 1
    assert list((tmp_path / "data").iterdir()) == []


def make_waiting():
    def wait(end: str) -> str:  # of a function, so that its code is sent to the workers
        import time
        from pathlib import Path

        from leukoscope.cluster import work

        while not Path(end).exists():
            if work.is_to_stop():
                return "stopped"
            time.sleep(0.01)
        return "whole"

    return wait


def start(*command: str) -> subprocess.Popen[bytes]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "distributed.cli." + command[0], *command[1:]], **quiet)


def test_a_worker_that_does_two_things_at_once_is_refused(tmp_path, free_port):
    address = f"tcp://127.0.0.1:{free_port}"
    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", str(free_port), "--no-dashboard")
    worker = start("dask_worker", address, "--nthreads", "2", "--no-nanny", "--no-dashboard")
    try:
        with (
            pytest.raises(InputError, match=r"The worker tcp://.* cannot work for this project: it has 2 threads"),
            connect(ClusterOptions(scheduler=address, workers=1, timeout=30), tmp_path, tmp_path),
        ):
            pass
        with (
            pytest.raises(InputError, match=r"1 of 2 workers were at .* within 1 s"),
            connect(ClusterOptions(scheduler=address, workers=2, timeout=1), tmp_path, tmp_path),
        ):
            pass
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait()


def test_a_worker_that_comes_later_and_cannot_work_is_closed(tmp_path):
    with connect(ClusterOptions(workers=1), tmp_path, tmp_path) as client:
        late = start("dask_worker", client.scheduler.address, "--nthreads", "2", "--no-nanny", "--no-dashboard")
        try:
            assert late.wait(60) is not None
            assert len(connection.list_workers(client)) == 1
        finally:
            late.kill()


@pytest.mark.slow
def test_a_worker_that_comes_after_a_command_or_beside_another_is_kept(tmp_path, free_port):
    address = f"tcp://127.0.0.1:{free_port}"
    begun = [start("dask_scheduler", "--host", "127.0.0.1", "--port", str(free_port), "--no-dashboard")]
    worker = ("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    options = ClusterOptions(scheduler=address, workers=1, timeout=30)
    try:
        begun.append(start(*worker))
        with connect(options, tmp_path, tmp_path) as client:
            end = tmp_path / "end"
            at_work = client.submit(make_waiting(), str(end))
            with connect(options, tmp_path, tmp_path):
                pass
            begun.append(start(*worker))
            client.wait_for_workers(2, timeout=30)
            end.touch()
            assert at_work.result(timeout=30) == "whole"
        begun.append(start(*worker))
        with connect(options.model_copy(update={"workers": 3}), tmp_path, tmp_path) as client:
            time.sleep(1)
            assert len(connection.list_workers(client)) == 3
    finally:
        for process in reversed(begun):
            process.kill()
            process.wait()


def test_what_a_killed_command_expected_is_forgotten():
    plugins = dict.fromkeys(("leukoscope-gone", "leukoscope-here", "another"))
    scheduler = SimpleNamespace(worker_plugins=plugins, clients={"here": None})
    assert plugin.look_at_scheduler(scheduler) == __version__
    assert list(plugins) == ["leukoscope-here", "another"]


@pytest.mark.parametrize(("status", "stopped"), [(Status.running, False), (Status.closing, True)])
def test_a_command_that_ends_stops_no_other_and_a_closed_worker_stops_all(monkeypatch, status, stopped):
    told = []
    monkeypatch.setattr(work, "stop", lambda: told.append(True))
    plugin.ProjectPlugin("client", None, {}).teardown(SimpleNamespace(status=status))
    assert bool(told) is stopped


def test_workers_with_the_same_cores_divide_them_and_others_do_not(monkeypatch):
    shares = []
    monkeypatch.setattr(work, "begin", shares.append)
    monkeypatch.setattr(plugin, "find_fault", lambda *_: None)
    monkeypatch.setattr(plugin, "list_cores", lambda: range(8))
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=1), periodic_callbacks={"tick": SimpleNamespace()})
    for cores in (("one", (0, 1)), ("two", (0, 1)), ("late", (0, 1))):
        monkeypatch.setattr(plugin, "tell_cores", lambda cores=cores: cores)
        plugin.ProjectPlugin("client", None, {("one", (0, 1)): 4, ("two", (0, 1)): 1}).setup(worker)
    assert shares == [2, 8, 2]


def test_workers_look_at_themselves_less_often(monkeypatch):
    stopped = []
    monkeypatch.setattr(plugin, "find_fault", lambda *_: None)
    names = ("profile", "heartbeat", "tick", "memory_monitor")
    callbacks = {name: SimpleNamespace(stop=partial(stopped.append, name)) for name in names}
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=1), periodic_callbacks=callbacks)
    plugin.ProjectPlugin("client", None, {}).setup(worker)
    assert stopped == ["profile"]
    assert (callbacks["tick"].callback_time, callbacks["memory_monitor"].callback_time) == (500, 1000)
    assert not hasattr(callbacks["heartbeat"], "callback_time")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc alone")
def test_workers_use_freed_memory_again(tmp_path):
    def count_faults() -> int:  # of a function, so that its code is sent to the worker
        import resource

        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(50):
            bytearray(2**20)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with connect(ClusterOptions(workers=1), tmp_path, tmp_path) as client:
        assert client.submit(count_faults).result() < 50 * 128
