"""Parts on a cluster of two processes, of which some are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client, LocalCluster

from leukoscope.cluster import parts as cluster_parts
from leukoscope.cluster.attempts import Answer, Attempt
from leukoscope.cluster.parts import Workers, choose_size
from leukoscope.core.errors import InputError
from leukoscope.core.parting import MOST_TRIES, Part
from leukoscope.reader import reading
from made_parts import (
    DEADLY,
    BrightAddress,
    count_read,
    double,
    double_at_leisure,
    double_or_die,
    double_or_fail,
    encode_field,
    make_fields,
    read_by,
)

FIELDS = 24


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def workers(cluster):
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=30)
        yield Workers(client)


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(reading, "_PART", 4)
    return make_fields(tmp_path / "raw", FIELDS)


@pytest.fixture
def notes(tmp_path) -> Path:
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


@pytest.fixture
def alone(raw, tmp_path) -> tuple[bytes, bytes]:
    return read_by(None, raw, tmp_path / "alone")


def wait_for(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def list_parts(folder: Path) -> list[Path]:
    return sorted((folder / "opinions").glob("part-*.parquet"))


def parts(tmp_path, numbers) -> list[Part]:
    return [Part(f"{tmp_path}-{number}", number, 1, tmp_path / f"{number}.tries") for number in numbers]


def test_workers_give_the_bytes_that_one_process_gives_and_all_of_them_read(workers, raw, notes, alone, tmp_path):
    assert read_by(workers, raw, tmp_path / "spread", BrightAddress(notes)) == alone
    assert sum(count_read(notes).values()) == FIELDS
    assert len(count_read(notes)) == 2
    assert os.getpid() not in count_read(notes)


def test_each_part_is_done_once_and_no_more_are_asked_for_than_keep_the_workers_busy(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_parts, "_MOST_TOGETHER", 1)
    asked, done = [], []

    def ask():
        for part in parts(tmp_path, range(50)):
            asked.append(part)
            yield part

    for outcome in workers.carry_out(double, ask()):
        done.append(outcome.result)
        assert len(asked) - len(done) < 2 * 2 + 1
    assert sorted(done) == [2 * number for number in range(50)]
    assert list(tmp_path.glob("*.tries")) == []


def test_parts_that_take_no_time_are_sent_together_and_given_back_where_they_do(workers, tmp_path, monkeypatch):
    sent, submit = [], workers._client.submit
    monkeypatch.setattr(workers._client, "submit", lambda *given, **more: sent.append(given) or submit(*given, **more))
    outcomes = workers.carry_out(double_at_leisure, parts(tmp_path, range(200)))
    assert sorted(outcome.result for outcome in outcomes) == [2 * number for number in range(200)]
    assert len(sent) < 60
    assert sum(len(tries) for _, _, tries in sent) > 200
    assert list(tmp_path.glob("*.tries")) == []


@pytest.mark.parametrize(
    ("size", "done", "is_quick", "expected"),
    [(1, 1, True, 2), (32, 32, True, 64), (64, 64, True, 64), (8, 2, True, 8), (64, 50, False, 50), (1, 1, False, 1)],
)
def test_a_task_has_as_many_parts_as_are_done_in_time(size, done, is_quick, expected):
    assert choose_size(size, Answer([Attempt()] * done, is_quick)) == expected


@pytest.mark.slow
def test_a_part_that_ends_its_workers_takes_none_with_it_that_was_sent_beside_it(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_parts._Run, "_take", _take_eight)
    outcomes = list(workers.carry_out(double_or_die, parts(tmp_path, range(24))))
    assert [outcome.part.task for outcome in outcomes if outcome.lost is not None] == [5]
    assert sorted(outcome.result for outcome in outcomes if outcome.lost is None) == [
        2 * number for number in range(24) if number != 5
    ]
    assert not [path for path in tmp_path.glob("*.tries") if path.name != "5.tries"]


def _take_eight(run) -> list[Part]:
    return list(islice(run._parts, 8))


def test_a_worker_that_is_killed_changes_nothing(workers, raw, notes, alone, tmp_path):
    (notes / "wait").write_text("0")

    def kill_one():
        wait_for(lambda: count_read(notes))
        os.kill(next(iter(count_read(notes))), signal.SIGKILL)
        (notes / "wait").unlink()

    killer = threading.Thread(target=kill_one)
    killer.start()
    assert read_by(workers, raw, tmp_path / "spread", BrightAddress(notes)) == alone
    killer.join()
    assert FIELDS < sum(count_read(notes).values()) <= FIELDS + 4


@pytest.mark.slow
def test_a_client_that_is_killed_leaves_only_the_rest_to_the_next(cluster, workers, raw, notes, alone, tmp_path):
    out = tmp_path / "spread"
    given = (cluster.scheduler_address, *map(str, (raw, out, notes)))
    call = f"from made_parts import *; read_as_client(*{given})"
    (notes / "wait").write_text("8")
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    client = subprocess.Popen([sys.executable, "-c", call], env=os.environ | {"PYTHONPATH": path})
    wait_for(lambda: len(list_parts(out)) >= 1)
    client.kill()
    client.wait()
    (notes / "wait").unlink()
    wait_for(lambda: not workers._client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
    before = {path: path.stat().st_mtime_ns for path in list_parts(out)}
    assert 0 < len(before) < 6
    assert read_by(workers, raw, out, BrightAddress(notes)) == alone
    assert before.items() <= {path: path.stat().st_mtime_ns for path in list_parts(out)}.items()


@pytest.mark.slow
def test_a_part_that_ends_its_workers_becomes_rows_with_a_reason_and_the_next_run_tries_again(
    workers, raw, notes, tmp_path
):
    (raw / "010.png").write_bytes(encode_field(DEADLY))
    alone = read_by(None, raw, tmp_path / "alone")
    (notes / "deadly").touch()
    read_by(workers, raw, tmp_path / "spread", BrightAddress(notes))
    table = pd.read_parquet(tmp_path / "spread/opinions.parquet").set_index("image_id")
    lost = table[table["reason"].str.startswith("not read for now: a worker process ended")]
    assert lost.index.tolist() == ["008", "009", "010", "011"]
    assert lost["opinion"].unique().tolist() == ["abstained"]
    assert len(table) == FIELDS + 1
    assert len(count_read(notes)) <= 2 + MOST_TRIES
    (notes / "deadly").unlink()
    before = sum(count_read(notes).values())
    assert read_by(workers, raw, tmp_path / "spread", BrightAddress(notes)) == alone
    assert sum(count_read(notes).values()) == before + 4


def test_a_fault_of_a_worker_is_one_line(workers, raw, tmp_path):
    with pytest.raises(
        InputError, match=r"^A worker cannot go on: There is no reader here\. What was finished is kept"
    ):
        read_by(workers, raw, tmp_path / "spread", BrightAddress(fault="There is no reader here."))


def test_what_is_kept_is_said_once(workers, raw, tmp_path):
    address = BrightAddress(fault="The store cannot be used. What was finished is kept.")
    with pytest.raises(InputError, match=r"The store cannot be used\. What was finished is kept, and the same command"):
        read_by(workers, raw, tmp_path / "spread", address)


def test_a_fault_of_the_software_is_one_line_too(workers, tmp_path):
    with pytest.raises(
        InputError, match=r"A worker cannot go on: ZeroDivisionError: .* This is a fault of the software"
    ):
        list(workers.carry_out(double_or_fail, parts(tmp_path, range(6))))


def test_two_clients_read_side_by_side(cluster, raw, notes, alone, tmp_path):
    given = {}

    def read(number: int) -> None:
        with Client(cluster) as client:
            given[number] = read_by(Workers(client), raw, tmp_path / f"client-{number}", BrightAddress(notes))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given == {0: alone, 1: alone}
    assert sum(count_read(notes).values()) == 2 * FIELDS


@pytest.mark.slow
def test_work_waits_for_a_worker_and_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cluster_parts, "_SECONDS_TO_WARN", 0)
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        coming = threading.Timer(3, cluster.scale, [1])
        coming.start()
        outcomes = Workers(client).carry_out(double, parts(tmp_path, range(3)))
        assert sorted(outcome.result for outcome in outcomes) == [0, 2, 4]
        coming.join()
    assert "The cluster has no worker now, and work is left: it goes on when one has come" in caplog.text


def test_a_scheduler_that_is_gone_is_told_in_a_line(tmp_path):
    with LocalCluster(n_workers=0, dashboard_address=":0") as cluster, Client(cluster) as client:
        outcomes = Workers(client).carry_out(double, parts(tmp_path, range(3)))
        closing = threading.Timer(1, cluster.close)
        closing.start()
        with pytest.raises(InputError, match=r"The scheduler of the cluster is gone"):
            list(outcomes)
        closing.join()
