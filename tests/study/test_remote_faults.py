"""Worker, client and scheduler are killed in the middle of a study, which the same command finishes."""

import logging
import random

import pytest

from fake_cluster import EPOCHS, FakeCluster

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
