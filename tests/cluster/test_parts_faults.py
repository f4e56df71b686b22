"""Reading by parts, of which a worker, the client or the scheduler is killed at some moment."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from killed_cluster import run_cluster, start
from leukoscope.core.storage import UNFINISHED
from leukoscope.reader import reading
from made_parts import FILES, count_read, make_fields, make_large, pack_by, read_by

FIELDS, LONGEST = 60, 3.0
ROLES = ("worker", "client", "scheduler")
MOMENTS = [
    pytest.param(role, number, marks=pytest.mark.slow if number == 0 else pytest.mark.faults, id=f"{role}-{number}")
    for role in ROLES
    for number in range(10)
]


def read_in_process(address: str, raw: Path, out: Path, notes: Path) -> subprocess.Popen:
    given = (address, *map(str, (raw, out, notes)))
    return start("-c", f"from made_parts import *; read_as_client(*{given})", stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("role", "number"), MOMENTS)
def test_whoever_is_killed_the_same_rows_come_out(role, number, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PART", 4)
    raw, notes, out = make_fields(tmp_path / "raw", FIELDS), tmp_path / "notes", tmp_path / "spread"
    expected = read_by(None, raw, tmp_path / "alone")
    notes.mkdir()
    (notes / "slow").touch()
    moment, rng = 0.0, random.Random(number)
    with run_cluster(tmp_path / "scheduler.json") as (scheduler, address):
        client = read_in_process(address, raw, out, notes)
        while not count_read(notes):
            assert client.poll() is None, client.stderr.read()
            time.sleep(0.02)
        moment = rng.uniform(0, LONGEST)
        time.sleep(moment)
        done = len(list((out / "opinions").glob("part-*")))
        victims = {"worker": max(count_read(notes)), "client": client.pid, "scheduler": scheduler.pid}
        os.kill(victims[role], signal.SIGKILL)
        message = client.communicate(timeout=300)[1]
    if role == "worker":
        assert client.returncode == 0, message
    elif client.returncode:
        assert role == "client" or "The scheduler of the cluster is gone" in message, message
        with run_cluster(tmp_path / "scheduler.json") as (_, address):
            again = read_in_process(address, raw, out, notes)
            message = again.communicate(timeout=300)[1]
            assert again.returncode == 0, message
    assert ((out / "opinions.parquet").read_bytes(), (out / "opinions.csv").read_bytes()) == expected
    assert not pd.read_parquet(out / "opinions.parquet")["image_id"].duplicated().any()
    # No part that was there was read again: at most those that were under way.
    assert sum(count_read(notes).values()) <= FIELDS + 4 * 4, (done, moment)


def list_workers(address: str) -> list[int]:
    from distributed import Client

    with Client(address) as client:
        client.wait_for_workers(2, timeout=60)
        return list(client.run(os.getpid).values())


def list_begun(folder: Path) -> list[Path]:
    return list(folder.glob("*.tries"))


def list_made(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.arrow") if not path.name.startswith(UNFINISHED)]


def pack_in_process(address: str, raw: Path, store: Path) -> subprocess.Popen:
    given = (address, str(raw), str(store))
    return start("-c", f"from made_parts import *; pack_as_client(*{given})", stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("role", "number"), MOMENTS)
def test_whoever_is_killed_while_images_are_packed_no_byte_changes(role, number, tmp_path):
    raw, store = make_large(tmp_path / "raw", 16), tmp_path / "spread"
    expected = pack_by(None, raw, tmp_path / "alone")
    folder, rng = tmp_path / ".spread.shards", random.Random(number)
    with run_cluster(tmp_path / "scheduler.json") as (scheduler, address):
        workers = list_workers(address)
        client = pack_in_process(address, raw, store)
        while client.poll() is None and not list_begun(folder):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, LONGEST / 4))
        os.kill({"worker": rng.choice(workers), "client": client.pid, "scheduler": scheduler.pid}[role], signal.SIGKILL)
        message = client.communicate(timeout=300)[1]
    if role == "worker":
        assert client.returncode == 0, message
    elif client.returncode:
        assert role == "client" or "The scheduler of the cluster is gone" in message, message
        before = {path: path.stat().st_mtime_ns for path in list_made(folder)}
        with run_cluster(tmp_path / "scheduler.json") as (_, address):
            again = pack_in_process(address, raw, store)
            message = again.communicate(timeout=300)[1]
            assert again.returncode == 0, message
        # No shard that was there was made again.
        after = {path: path.stat().st_mtime_ns for path in list_made(folder)}
        assert before.items() <= after.items()
    assert [(store / name).read_bytes() for name in FILES] == expected
    assert not list_begun(folder)
