import errno
import os
import pickle
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold
from leukoscope.images import packing, packing_plan
from leukoscope.images.decoding import Limits
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import FolderSource, open_source

CLASSES = ("Benign", "Early")
LIMITS = Limits(min_side=16, max_pixels=10_000, max_bytes=100_000)


def write_image(path, seed, size=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size // 4, size // 4, 3), np.uint8)
    Image.fromarray(pixels).resize((size, size)).save(path)


@pytest.fixture
def raw(tmp_path) -> Path:
    for number in range(40):
        write_image(tmp_path / "raw" / CLASSES[number % 2] / f"{number:02}.png", number)
    (tmp_path / "raw/Benign/20a.jpg").write_bytes(b"")
    (tmp_path / "raw/notes.txt").write_text("stray")
    return tmp_path / "raw"


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


def plan(path, workers=1, size=32, limits=LIMITS):
    return PackingPlan(open_source(path), CLASSES, size, limits, workers)


def pack(path, store, **options):
    save_packed(plan(path, **options), store)
    return PackedImages(store)


def reasons(packed):
    return packed.records.set_index("image_id")["reason"].dropna().to_dict()


def test_two_runs_do_not_pack_into_one_store(raw, store):
    before = pack(raw, store).fingerprint
    with hold(store), pytest.raises(InputError, match="Another run"):
        pack(raw, store, size=16)
    assert PackedImages(store).fingerprint == before


def test_a_full_disk_shows_before_anything_is_decoded(raw, store, monkeypatch):
    def refuse(descriptor, start, size):
        assert size == 41 * 32 * 32 * 3
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    monkeypatch.setattr(PackingPlan, "_pack_batch", lambda *arguments: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"no room for the packed images at .*: expected 0 MiB, and"):
        pack(raw, store)
    assert not store.exists()


def test_a_file_system_that_cannot_reserve_will_do(raw, store, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    assert len(pack(raw, store)) == 40


def test_every_file_has_a_record_and_every_image_a_row(raw, store):
    packed = pack(raw, store, size=48)
    assert len(packed.records) == 42
    assert packed.pixels.shape == (40, 48, 48, 3)
    assert (store / "pixels.npy").stat().st_size == 128 + packed.pixels.nbytes
    assert reasons(packed) == {"Benign/20a": "empty file (0 bytes)", "notes": "not inside a class folder"}
    for image_id, row in zip(packed.ids, packed.rows(packed.ids), strict=True):
        assert (packed.pixels[row] == np.asarray(Image.open(raw / f"{image_id}.png"))).all()
    first = packed.records.iloc[0]
    facts = first[["image_id", "path", "label", "width", "mode", "row"]].tolist()
    assert facts == ["Benign/00", "Benign/00.png", "Benign", 48, "RGB", 0]


def test_unknown_ids_are_named(raw, store):
    with pytest.raises(InputError, match=r"do not hold 1 of the 2 images asked for, 'Pro/x' for one"):
        pack(raw, store).rows(["Benign/00", "Pro/x"])


def test_the_pixels_cannot_be_written(raw, store):
    with pytest.raises(ValueError, match="read-only"):
        pack(raw, store).pixels[0] = 0


def test_a_store_pickles_as_its_folder(raw, store):
    packed = pack(raw, store)
    data = pickle.dumps(packed)
    assert len(data) < 1000
    assert (pickle.loads(data).pixels == packed.pixels).all()


def test_two_workers_make_what_one_makes(raw, store, tmp_path):
    one, two = pack(raw, store), pack(raw, tmp_path / "two", workers=2)
    assert (one.pixels == two.pixels).all()
    assert one.records.equals(two.records)


def test_a_zip_makes_what_its_folder_makes(raw, store, tmp_path):
    with zipfile.ZipFile(tmp_path / "raw.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in raw.rglob("*.*"):
            archive.write(path, path.relative_to(raw))
    folder, archived = pack(raw, store), pack(tmp_path / "raw.zip", tmp_path / "zipped", workers=2)
    assert (folder.pixels == archived.pixels).all()
    assert folder.records.equals(archived.records)


def test_an_unchanged_folder_is_not_decoded_again(raw, store, monkeypatch, caplog):
    pack(raw, store)
    monkeypatch.setattr(packing_plan, "decode", lambda *_: pytest.fail("decoded again"))
    with caplog.at_level("INFO"):
        pack(raw, store, workers=2)
    assert "unchanged, not decoded again: 40 images" in caplog.text


@pytest.mark.parametrize("change", ["content", "removed", "size", "limits", "class"])
def test_a_change_is_decoded_again(raw, store, change):
    before = pack(raw, store).fingerprint
    options = {}
    if change == "content":
        write_image(raw / "Benign/00.png", 99)
        os.utime(raw / "Benign/00.png", ns=(1, 1))
    elif change == "removed":
        (raw / "Early/01.png").unlink()
    elif change == "size":
        options = {"size": 40}
    elif change == "limits":
        options = {"limits": LIMITS._replace(min_side=20)}
    else:
        (raw / "Benign/00.png").rename(raw / "Early/00.png")
    assert pack(raw, store, **options).fingerprint != before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
def test_an_interrupted_save_keeps_the_old_store(raw, store, monkeypatch, error):
    before = pack(raw, store)
    write_image(raw / "Early/new.png", 77)

    def fail(*_):
        raise error

    monkeypatch.setattr(packing, "write_array_header", fail)
    with pytest.raises(error):
        pack(raw, store)
    monkeypatch.undo()
    assert PackedImages(store).fingerprint == before.fingerprint
    assert [path.name for path in store.parent.iterdir() if path.name.startswith(".")] == [".store.lock"]


def test_a_failed_rename_keeps_the_old_store(raw, store, monkeypatch):
    before = pack(raw, store)
    write_image(raw / "Early/new.png", 77)
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda path, to: rename(path, to) if not path.name.endswith(".new") else fail_to_rename()
    )
    with pytest.raises(OSError, match="disk"):
        pack(raw, store)
    assert PackedImages(store).fingerprint == before.fingerprint


def fail_to_rename():
    raise OSError("disk")


def test_a_killed_run_leaves_nothing_behind(raw, store):
    before = pack(raw, store)
    store.rename(store.with_name(".store.old"))
    store.with_name(".store.new").mkdir()
    write_image(raw / "Early/new.png", 77)
    assert pack(raw, store).fingerprint != before.fingerprint
    assert [path.name for path in store.parent.iterdir() if path.name.startswith(".")] == [".store.lock"]


def test_a_missing_store_is_an_error(store):
    with pytest.raises(InputError, match=r"it lacks store.json, pixels.npy, records.parquet"):
        PackedImages(store)


@pytest.mark.parametrize("name", ["pixels.npy", "records.parquet", "store.json"])
def test_a_damaged_store_is_an_error_and_is_made_anew(raw, store, name):
    pack(raw, store)
    content = (store / name).read_bytes()
    (store / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"{name} is damaged"):
        PackedImages(store)
    assert len(pack(raw, store)) == 40


def test_a_store_of_mixed_parts_is_an_error(raw, store, tmp_path):
    pack(raw, store)
    (raw / "Early/01.png").unlink()
    pack(raw, tmp_path / "other")
    (tmp_path / "other/pixels.npy").rename(store / "pixels.npy")
    with pytest.raises(InputError, match=r"is damaged \(the folder holds .* \(42, 40, 39\), expected \(42, 40, 40\)"):
        PackedImages(store)


def test_no_image_at_all_is_an_error(tmp_path, store):
    for name in CLASSES:
        (tmp_path / "raw" / name).mkdir(parents=True)
        (tmp_path / "raw" / name / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"No file at .*, of 2; most often: empty file \(0 bytes\)"):
        pack(tmp_path / "raw", store)
    assert not store.exists()


def test_large_files_are_not_read(raw, store):
    (raw / "Early/large.png").write_bytes(bytes(100_001))
    assert reasons(pack(raw, store))["Early/large"] == (
        "too large: 100,001 bytes, more than the 100,000 of ingestion.max_bytes"
    )


def test_refused_files_are_never_read(raw, store, tmp_path):
    write_image(tmp_path / "secret.png", 1)
    (raw / "Early/out.png").symlink_to(tmp_path / "secret.png")
    packed = pack(raw, store)
    assert reasons(packed)["Early/out"] == "symbolic link that leads out of the folder"
    assert packed.records.set_index("image_id").loc["Early/out", ["sha256", "row"]].isna().all()


FAULTS = {
    "permission": (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
    "disk": (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    "network": (OSError(errno.ESTALE, "Stale file handle"), "Stale file handle"),
    "memory of the system": (OSError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory"),
    "memory": (MemoryError(), "not enough memory"),
}


@contextmanager
def unreadable(monkeypatch, fault, *paths):
    """Let the source raise for some files, as of a disk that fails or of permissions, which the root user ignores."""
    read_all = FolderSource.reading

    @contextmanager
    def read_all_but_some(self):
        def read_or_fail(path):
            if path in paths:
                raise fault
            return read(path)

        with read_all(self) as read:
            yield read_or_fail

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "reading", read_all_but_some)
        yield


@pytest.fixture(params=FAULTS)
def fault(request):
    return FAULTS[request.param]


def test_what_cannot_be_read_is_left_out_and_named_and_read_by_the_next_run(
    raw, store, tmp_path, monkeypatch, caplog, fault
):
    sound = pack(raw, tmp_path / "sound")
    error, words = fault
    with unreadable(monkeypatch, error, "Benign/00.png", "Early/01.png"):
        packed = pack(raw, store)
    assert len(packed) == 38
    assert [reasons(packed)[name] for name in ("Benign/00", "Early/01")] == [f"unreadable: {words}"] * 2
    assert f"2 of 42 files could not be read: Benign/00 (unreadable: {words}), Early/01" in caplog.text
    again = pack(raw, store)
    assert again.records.equals(sound.records)
    assert (again.pixels == sound.pixels).all()
    assert again.identity == sound.identity != packed.identity


def test_only_what_could_not_be_read_is_decoded_again(raw, store, monkeypatch, caplog):
    with unreadable(monkeypatch, OSError(errno.EIO, "Input/output error"), "Benign/00.png", "Benign/20a.jpg"):
        pack(raw, store)
    decoded, decode = [], packing_plan.decode
    monkeypatch.setattr(packing_plan, "decode", lambda data, limits: decoded.append(len(data)) or decode(data, limits))
    packed = pack(raw, store)
    assert decoded == [(raw / "Benign/00.png").stat().st_size, 0]
    assert reasons(packed) == {"Benign/20a": "empty file (0 bytes)", "notes": "not inside a class folder"}
    caplog.clear()
    with caplog.at_level("INFO"):
        pack(raw, store)
    assert len(decoded) == 2
    assert "unchanged, not decoded again: 40 images" in caplog.text
    assert "could not be read" not in caplog.text


def test_what_can_never_be_read_is_tried_by_each_run_and_said_by_each(raw, store, monkeypatch, caplog):
    with unreadable(monkeypatch, PermissionError(errno.EACCES, "Permission denied"), "Benign/00.png"):
        for _ in range(3):
            caplog.clear()
            assert len(pack(raw, store)) == 39
            assert "1 of 42 files could not be read: Benign/00" in caplog.text


@pytest.mark.parametrize("inside", ["decode", "resize", "perceptual_hash"])
def test_short_memory_while_decoding_is_no_verdict(raw, store, monkeypatch, inside):
    work = getattr(packing_plan, inside)

    def fail_once(*arguments):
        if not failed:
            failed.append(True)
            raise MemoryError
        return work(*arguments)

    failed = []
    with monkeypatch.context() as patch:
        patch.setattr(packing_plan, inside, fail_once)
        packed = pack(raw, store)
    assert (len(packed), reasons(packed)["Benign/00"]) == (39, "unreadable: not enough memory")
    assert len(pack(raw, store)) == 40


def test_short_memory_that_the_decoder_wraps_is_no_verdict(raw, store, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("leukoscope.images.decoding._open", fail)
        with pytest.raises(InputError, match=r"No file at .*, of 42; most often: unreadable: not enough memory"):
            pack(raw, store)
    assert len(pack(raw, store)) == 40


def test_a_source_that_fails_altogether_leaves_the_store_of_before(raw, store, monkeypatch):
    before = pack(raw, store).identity
    write_image(raw / "Early/new.png", 77)
    everything = [path.relative_to(raw).as_posix() for path in raw.rglob("*.*")]
    with (
        unreadable(monkeypatch, OSError(errno.EIO, "Input/output error"), *everything),
        pytest.raises(InputError, match="most often: unreadable: Input/output error"),
    ):
        pack(raw, store)
    assert PackedImages(store).identity == before


def test_a_store_that_is_replaced_while_it_is_opened_is_refused(raw, store, tmp_path, monkeypatch):
    """Else the pixels would be of the one and the records of the other, when these are equally many."""
    pack(raw, store)
    load = np.load

    def load_late(*arguments, **options):
        monkeypatch.setattr(np, "load", load)
        write_image(raw / "Early/01.png", 77)
        os.utime(raw / "Early/01.png", ns=(1, 1))
        pack(raw, store)
        return load(*arguments, **options)

    monkeypatch.setattr(np, "load", load_late)
    with pytest.raises(InputError, match="another run has packed others there meanwhile"):
        PackedImages(store)


def test_a_pickled_store_is_no_other_when_it_is_opened(raw, store):
    data = pickle.dumps(pack(raw, store))
    (raw / "Early/01.png").unlink()
    pack(raw, store)
    with pytest.raises(InputError, match="no longer those that this run works with"):
        pickle.loads(data)


def test_a_damaged_zip_entry_is_quarantined(raw, store, tmp_path):
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2):
            archive.write(raw / CLASSES[number] / f"{number:02}.png", f"{CLASSES[number]}/{number:02}.png")
        archive.write(raw / "Benign/02.png", "Benign/02.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 0xFF
    path.write_bytes(content)
    assert reasons(pack(path, store)) == {"Benign/00": "damaged zip entry: Bad CRC-32 for file 'Benign/00.png'"}
