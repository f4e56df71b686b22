import errno
import shutil
import zipfile
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from leukoscope.core.errors import InputError
from leukoscope.datasets import PackedImagesDataset
from leukoscope.images import shards, shared
from leukoscope.images.decoding import Limits
from leukoscope.images.folders import FolderSource
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.shards import pack_by_parts, remove_shards
from leukoscope.images.source import open_source
from made_parts import SIZE, Here, make_fields

LIMITS = Limits(16, 10**6, 10**6)
FILES = ("pixels.npy", "records.parquet", "store.json")


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(shards, "_PART", 16)
    for name, count in (("Benign", 21), ("Pro", 30)):
        make_fields(tmp_path / "raw" / name, count)
    (tmp_path / "raw/Pro/007.png").write_bytes(b"")
    (tmp_path / "raw/stray.png").write_bytes(b"x")
    return tmp_path / "raw"


def plan(raw: Path) -> PackingPlan:
    return PackingPlan(open_source(raw), ("Benign", "Pro"), SIZE, LIMITS, 1)


def pack(raw: Path, store: Path, place: Here | None = None) -> list[bytes]:
    folder = store.with_name(f".{store.name}.shards")
    by = place and partial(pack_by_parts, lambda: nullcontext(place), folder, notes=folder)
    save_packed(plan(raw), store, by)
    return [(store / name).read_bytes() for name in FILES]


def list_shards(tmp_path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (tmp_path / ".spread.shards").iterdir()}


def test_shards_make_the_store_that_one_process_makes(raw, tmp_path):
    here = Here()
    assert pack(raw, tmp_path / "spread", here) == pack(raw, tmp_path / "alone")
    assert [part.size for part in here.sent] == [16, 16, 16, 6]


def test_a_zip_makes_the_same_and_is_opened_once(raw, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for path in raw.rglob("*.*"):
            archive.write(path, path.relative_to(raw))
    alone = pack(tmp_path / "raw.zip", tmp_path / "alone")
    opened, opening = [], zipfile.ZipFile.__init__
    monkeypatch.setattr(
        zipfile.ZipFile, "__init__", lambda self, *arguments: (opened.append(self), opening(self, *arguments))[1]
    )
    assert pack(tmp_path / "raw.zip", tmp_path / "spread", Here()) == alone
    assert len(opened) == 2  # once to list it, once to read it


def test_a_run_that_was_killed_decodes_only_the_rest(raw, tmp_path):
    class Killed(BaseException):
        pass

    class Dying(Here):
        def carry_out(self, work, parts):
            for number, outcome in enumerate(super().carry_out(work, parts)):
                yield outcome
                if number == 1:
                    raise Killed

    with pytest.raises(Killed):
        pack(raw, tmp_path / "spread", Dying())
    assert not (tmp_path / "spread").exists()
    before, here = list_shards(tmp_path), Here()
    assert pack(raw, tmp_path / "spread", here) == pack(raw, tmp_path / "alone")
    assert len(here.sent) == 2
    assert before.items() <= list_shards(tmp_path).items()


@pytest.mark.parametrize("harm", [slice(0, 0), slice(0, -5), slice(8, None)], ids=["empty", "end", "beginning"])
def test_a_shard_that_is_damaged_is_made_again(raw, tmp_path, harm):
    alone = pack(raw, tmp_path / "alone")
    here = Here(3)
    pack(raw, tmp_path / "spread", here)
    path = here.sent[1].task.shard.path
    path.write_bytes(path.read_bytes()[harm])
    shutil.rmtree(tmp_path / "spread")
    here = Here()
    assert pack(raw, tmp_path / "spread", here) == alone
    assert len(here.sent) == 2  # the one that was lost, and the one that is damaged


def test_files_of_a_part_that_nobody_can_do_have_a_reason_and_the_next_run_tries_them_again(raw, tmp_path, caplog):
    alone = pack(raw, tmp_path / "alone")
    pack(raw, tmp_path / "spread", Here(1))
    records = PackedImages(tmp_path / "spread").records
    lost = records[records["reason"] == "unreadable: nobody can"]
    assert lost.index.tolist() == list(range(16, 32))
    assert len(records) == len(PackedImages(tmp_path / "alone").records)
    assert len(PackedImages(tmp_path / "spread")) == len(PackedImages(tmp_path / "alone")) - 14  # two are no images
    assert "16 of 54 files could not be read" in caplog.text
    here = Here()
    assert pack(raw, tmp_path / "spread", here) == alone
    assert [part.size for part in here.sent] == [16]


def test_a_file_that_must_not_be_read_keeps_its_own_reason(raw, tmp_path):
    pack(raw, tmp_path / "spread", Here(3))
    records = PackedImages(tmp_path / "spread").records.set_index("image_id")
    assert records.loc["stray", "reason"] == "not inside a class folder"
    assert records.loc["Pro/029", "reason"] == "unreadable: nobody can"


def test_shards_are_removed_once_they_are_joined(raw, tmp_path):
    pack(raw, tmp_path / "spread", Here())
    assert list_shards(tmp_path)
    remove_shards(tmp_path / ".spread.shards", tmp_path / "spread")
    assert not (tmp_path / ".spread.shards").exists()


def test_what_a_cluster_has_begun_is_finished_without_one(raw, tmp_path, monkeypatch):
    alone = pack(raw, tmp_path / "alone")
    pack(raw, tmp_path / "spread", Here(3))
    shutil.rmtree(tmp_path / "spread")
    written, write = [], shards.write_shard
    monkeypatch.setattr(shards, "write_shard", lambda task: (written.append(task), write(task)))
    PackedImagesDataset(filepath=str(tmp_path / "spread")).save(plan(raw))
    assert [(tmp_path / "spread" / name).read_bytes() for name in FILES] == alone
    assert len(written) == 1
    assert not (tmp_path / ".spread.shards").exists()


def test_images_that_workers_do_not_see_are_told(raw, tmp_path):
    class Elsewhere(Here):
        def carry_out(self, work, parts):
            raw.rename(tmp_path / "moved")
            return super().carry_out(work, parts)

    with pytest.raises(InputError, match=r"There is no .*raw here: the images must be at the same path for all work"):
        pack(raw, tmp_path / "spread", Elsewhere())


def test_what_could_not_be_read_before_a_kill_is_read_again_after_it(raw, tmp_path, monkeypatch):
    here, read = Here(), FolderSource.reading

    @contextmanager
    def failing(self):
        def read_or_fail(path):
            if path == "Benign/003.png":
                raise OSError(errno.EIO, "Input/output error")
            return reader(path)

        with read(self) as reader:
            yield read_or_fail

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "reading", failing)
        pack(raw, tmp_path / "spread", here)
    shutil.rmtree(tmp_path / "spread")
    shared._kept.clear()
    here = Here()
    assert pack(raw, tmp_path / "spread", here) == pack(raw, tmp_path / "alone")
    assert len(here.sent) == 1
