"""Worker, client and scheduler are killed in the middle of a study, which the same command finishes."""

import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fake_cluster import EPOCHS, FakeCluster
from fake_units import put_fake

logger = logging.getLogger(__name__)

MANY = [pytest.param(number, marks=pytest.mark.faults) for number in range(1, 10)]


@pytest.fixture
def cluster(tmp_path):
    cluster = FakeCluster(tmp_path)
    cluster.start_servers()
    yield cluster
    cluster.stop_servers()


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, *MANY])
@pytest.mark.parametrize("what", ["worker", "client", "scheduler"])
def test_a_study_loses_nothing_whoever_is_killed(cluster, what, number):
    seconds = random.Random(f"{what} {number}").uniform(0, 2.5)
    logger.warning("%s is killed after %.2f s", what, seconds)
    client = cluster.start_client()
    cluster.wait_for_epoch(client, seconds)
    cluster.kill(what, client)
    rows = cluster.finish(client)
    assert len(rows) == 8
    assert {reason for _, reason in rows} == {""}
    assert cluster.list_epochs() == [[str(epoch) for epoch in range(EPOCHS)]] * 8  # each once: goes on after the last
    assert not (cluster.project / "twice").exists()
    assert list((cluster.project / "data/.units").glob("*/")) == []


LOCAL = """
import signal, sys
from pathlib import Path
from fake_units import fake_workers, make_job
from leukoscope.cluster.client import connect
from leukoscope.cluster.options import ClusterOptions
from leukoscope.study.remote import Dask
from leukoscope.study.running import run_units
from made_study import plan_made
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(143))
    project = Path.cwd()
    with connect(ClusterOptions(workers=2), project, project / "data") as client:
        fake_workers(client, sys.argv[1])
        job = make_job(project)
        run_units(plan_made(), job.ledger, Dask(client, job))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cluster_of_this_machine_ends_with_the_study_and_so_do_its_units(tmp_path, number):
    """A terminal sends Ctrl-C to all processes of its group, workers too; a batch system SIGTERM to one."""
    source = put_fake(tmp_path, "pathlib.Path(f'{name}.number').write_text(str(os.getpid())); time.sleep(120)")
    (tmp_path / "study.py").write_text(LOCAL)
    places = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "study.py", source]
    environment = os.environ | {"PYTHONPATH": places}
    study = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    while study.poll() is None and len(numbers := [file.read_text() for file in tmp_path.glob("*.number")]) < 2:
        time.sleep(0.05)
    time.sleep(0.5)
    (os.killpg if number == signal.SIGINT else os.kill)(study.pid, number)
    assert study.wait(60) != 0
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(int(one)) for one in numbers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(psutil.pid_exists(int(one)) for one in numbers)
