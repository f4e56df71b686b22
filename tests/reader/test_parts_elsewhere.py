"""Parts of opinions that an object store keeps: a folder of this machine stands for it, and moto's server, if there."""

import os
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from distributed import Client, LocalCluster
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from leukoscope.cluster.options import ClusterOptions
from leukoscope.cluster.parts import Workers
from leukoscope.core import objects
from leukoscope.core.errors import InputError
from leukoscope.core.objects import ObjectPath, find_address_fault, place_parts, require_folder
from leukoscope.datasets import PackedImagesDataset
from leukoscope.images import shards
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_source
from leukoscope.reader import reading
from made_parts import (
    CLASS_NAMES,
    LARGE,
    SIZE,
    BrightAddress,
    Here,
    count_read,
    make_fields,
    pack_by,
    read_by,
)

FIELDS = 24
AWAY = ObjectPath("s3://bucket/leukoscope/opinions")


@pytest.fixture
def bucket(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "s3/bucket/leukoscope/opinions"
    folder.mkdir(parents=True)
    system = SubTreeFileSystem(str(tmp_path / "s3"), LocalFileSystem())
    monkeypatch.setattr(objects, "_connect", lambda: system)
    return folder


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(reading, "_PART", 4)
    return make_fields(tmp_path / "raw", FIELDS)


@pytest.mark.parametrize("place", [Here(), None], ids=["workers", "alone"])
def test_the_same_opinions_come_of_parts_that_are_kept_elsewhere_and_only_the_rest_is_read_again(
    place, raw, bucket, tmp_path
):
    expected = read_by(None, raw, tmp_path / "alone")
    out = tmp_path / "spread"
    assert read_by(place, raw, out, kept=AWAY) == expected
    parts = sorted(bucket.glob("part-*"))
    assert [path.name for path in parts] == [path.name for path in sorted((tmp_path / "alone/opinions").glob("part-*"))]
    assert not (out / "opinions").is_dir() or list((out / "opinions").iterdir()) == []
    parts[1].unlink()
    parts[2].write_bytes(b"damaged")
    before = {path: path.stat().st_mtime_ns for path in (parts[0], *parts[3:])}
    assert read_by(place, raw, out, kept=AWAY) == expected
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert place is None or len(place.sent) == len(parts) + 2


def test_the_same_images_come_of_shards_that_are_kept_elsewhere_and_only_the_rest_is_decoded_again(
    bucket, tmp_path, monkeypatch
):
    monkeypatch.setattr(shards, "_SMALLEST", 4)
    for name in CLASS_NAMES:
        make_fields(tmp_path / "raw" / name, FIELDS // 2)
    expected = pack_by(None, tmp_path / "raw", tmp_path / "alone")
    first, second = Here(), Here()
    assert pack_by(first, tmp_path / "raw", tmp_path / "spread", AWAY) == expected
    assert list((tmp_path / ".spread.shards").iterdir()) == []
    made = sorted(bucket.glob("*.arrow"))
    assert len(made) == len(first.sent) > 5
    made[1].unlink()
    made[2].write_bytes(b"damaged")
    assert pack_by(second, tmp_path / "raw", tmp_path / "again", AWAY) == expected
    assert sorted(part.task.shard.path.name for part in second.sent) == [made[1].name, made[2].name]
    kept = place_parts(tmp_path / ".smears.shards", "s3://bucket/leukoscope")
    bucket.rename(bucket.with_name(kept.name))
    dataset = PackedImagesDataset(filepath=str(tmp_path / "smears"))
    plan = PackingPlan(open_source(tmp_path / "raw"), CLASS_NAMES, SIZE, LARGE, 1)
    # One process goes on with what a cluster has made.
    dataset.save(replace(plan, cluster=ClusterOptions(parts="s3://bucket/leukoscope")))
    assert (tmp_path / "smears/pixels.npy").read_bytes() == expected[0]
    assert list(bucket.with_name(kept.name).iterdir()) == []


def test_parts_of_each_folder_are_by_themselves_at_a_store(tmp_path):
    one, other = (place_parts(tmp_path / name / "opinions", "s3://bucket/all/") for name in ("base", "demo"))
    assert str(one).startswith("s3://bucket/all/opinions-")
    assert one != other
    assert place_parts(tmp_path, None) == tmp_path


def test_a_store_that_lists_nothing_is_refused_before_anything_runs(bucket, monkeypatch):
    require_folder("s3://bucket/leukoscope")
    monkeypatch.setattr(ObjectPath, "glob", lambda *_: iter(()))
    with pytest.raises(InputError, match=r"s3://bucket/leukoscope can be written to, and does not list what"):
        require_folder("s3://bucket/leukoscope")


def test_a_folder_is_tried_with_an_object_that_is_not_empty(bucket, monkeypatch):
    """SeaweedFS takes an empty one of whoever has no right to write."""
    written, write = [], ObjectPath.write_bytes
    monkeypatch.setattr(ObjectPath, "write_bytes", lambda path, data: written.append(data) or write(path, data))
    require_folder("s3://bucket/leukoscope")
    assert all(written)


def test_shards_that_cannot_be_removed_are_named(bucket, tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise InputError("no right to delete")

    (bucket / "a.arrow").write_bytes(b"")
    monkeypatch.setattr(ObjectPath, "unlink", refuse)
    shards.remove_shards(AWAY, tmp_path / "smears")
    assert f"shards are left in {AWAY}: no right to delete" in caplog.text


def test_another_plan_removes_parts_of_the_former(raw, bucket, tmp_path):
    read_by(None, raw, tmp_path / "one", kept=AWAY)
    (raw / "000.png").unlink()
    read_by(None, raw, tmp_path / "other", kept=AWAY)
    assert len(list(bucket.glob("part-*"))) == FIELDS // 4


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("/mnt/parts", "is no address like s3://bucket/folder"),
        ("s3://", "is no address"),
        ("s3://Bucket/parts", "is no address"),
        ("gs://bucket/parts", "is no address"),
        ("s3://key:secret@bucket/parts", "the address has a key or an option in it. Leave it out"),
        ("s3://bucket/parts?endpoint_override=localhost", "has a key or an option in it"),
    ],
)
def test_what_is_no_address_is_refused(address, fault):
    with pytest.raises(ValueError, match=fault):
        ClusterOptions(parts=address)
    assert "secret" not in (find_address_fault(address) or "")
    assert ClusterOptions(parts="s3://bucket/parts").parts == "s3://bucket/parts"


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.fixture
def access(monkeypatch) -> str:
    endpoint = f"http://127.0.0.1:{free_port()}"
    facts = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "ENDPOINT_URL": endpoint, "DEFAULT_REGION": "eu-central-1"}
    for name, value in facts.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return endpoint


@pytest.fixture
def server(access, tmp_path):
    """Moto's, which fits no lock of the project's: whoever has it on the path tries with it."""
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("moto_server is not on the path: pip install 'moto[server]' in an environment of its own")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [program, "-H", "127.0.0.1", "-p", access.rpartition(":")[2]]
    with (tmp_path / "moto.log").open("w") as log:
        moto = subprocess.Popen(command, env=clean, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urlopen(Request(f"{access}/bucket", method="PUT")).close()
                break
            except OSError:
                assert moto.poll() is None, (tmp_path / "moto.log").read_text()
                time.sleep(0.1)
        yield access
    finally:
        moto.kill()
        moto.wait()


@pytest.mark.slow
def test_workers_keep_parts_at_a_server_of_s3(server, raw, tmp_path):
    expected = read_by(None, raw, tmp_path / "alone")
    (tmp_path / "notes").mkdir()
    out = tmp_path / "spread"
    require_folder("s3://bucket/leukoscope")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        for again in range(2):
            given = Workers(client), raw, out, BrightAddress(tmp_path / "notes"), AWAY
            assert read_by(*given) == expected
            assert sum(count_read(tmp_path / "notes").values()) == FIELDS, again
        next(AWAY.glob("part-0000004-*")).unlink()
        assert read_by(*given) == expected
    assert sum(count_read(tmp_path / "notes").values()) == FIELDS + 4
    assert "POST" not in (tmp_path / "moto.log").read_text()  # each by one PUT


@pytest.mark.slow
def test_workers_keep_shards_at_a_server_of_s3(server, tmp_path):
    for name in CLASS_NAMES:
        make_fields(tmp_path / "raw" / name, 50)
    expected = pack_by(None, tmp_path / "raw", tmp_path / "alone")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        for _ in range(2):
            assert pack_by(Workers(client), tmp_path / "raw", tmp_path / "spread", AWAY) == expected
            shutil.rmtree(tmp_path / "spread")
    assert len(list(AWAY.glob("*.arrow"))) == 2
    puts = [line for line in (tmp_path / "moto.log").read_text().splitlines() if '"PUT' in line and ".arrow" in line]
    assert len(puts) == 2


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_told_in_a_line(server):
    with pytest.raises(InputError, match=r"^s3://nobody/parts/.probe cannot be used: .*NO_SUCH_BUCKET.* Look at"):
        require_folder("s3://nobody/parts")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_told_in_a_line(access):
    with pytest.raises(
        InputError, match=r"cannot be used: .*NETWORK_CONNECTION.* Look at the bucket's name, and at AWS"
    ):
        require_folder("s3://bucket/parts")


def test_an_endpoint_that_is_none_is_told_in_a_line(access, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(InputError, match=r"^AWS_ENDPOINT_URL is 'localhost:9000': expected an address like https://"):
        require_folder("s3://bucket/parts")
