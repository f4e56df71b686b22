"""Near duplicates that workers find by parts are those that one process finds."""

from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.images import duplicates, pairs
from leukoscope.images.duplicates import group_duplicates, thin
from leukoscope.images.manifest import make_manifest
from leukoscope.images.packed import PIXELS, STORE
from leukoscope.images.pairs import find_by_parts
from made_parts import Here

COUNT, FIELDS = 60, 25


@pytest.fixture
def store(tmp_path):
    """Make packed images: each of some fields a few times, a little other, some with a hash that says otherwise."""
    rng = np.random.default_rng(5)
    fields = rng.integers(0, 200, (FIELDS, 32, 32, 3))
    shown = rng.integers(0, FIELDS, COUNT)
    folder = tmp_path / "smears"
    folder.mkdir()
    np.save(folder / PIXELS, (fields[shown] + rng.integers(0, 9, (COUNT, 32, 32, 3))).astype(np.uint8))
    (folder / STORE).write_text("{}")
    bases = [rng.bytes(8) for _ in range(FIELDS // 2)]
    hashes = [bytes([bases[field % len(bases)][0] ^ 1, *bases[field % len(bases)][1:]]).hex() for field in shown]
    names = [f"Pro/{number:02}" for number in range(COUNT)]
    records = pd.DataFrame({"image_id": names, "label": "Pro", "perceptual_hash": hashes, "row": range(COUNT)})
    digests = [f"{number if number != 9 else 3:064}" for number in range(COUNT)]
    return folder, records.assign(sha256=digests, reason=None), shown


@pytest.fixture
def in_parts(monkeypatch):
    for name, value in (("_TILE", 4), ("_SIDE", 2)):
        monkeypatch.setattr(pairs, name, value)
    monkeypatch.setattr(duplicates, "_TILE", 4)


def make(store, place=None) -> pd.DataFrame:
    folder, records, _ = store
    find = None if place is None else partial(find_by_parts, lambda: nullcontext(place), folder)
    return make_manifest(records, np.load(folder / PIXELS, mmap_mode="r"), 3, find)


def test_parts_give_the_manifest_of_one_process(store, in_parts):
    place = Here()
    pd.testing.assert_frame_equal(make(store, place), make(store))
    assert len(place.sent) == 36  # of eight times eight, each pair once
    assert make(store)["group"].nunique() == len(set(np.delete(store[2], 9)))  # which is another file's copy
    assert not (store[0].parent / ".smears.pairs").exists()


def test_what_was_compared_before_is_not_compared_again(store, in_parts):
    class Cut(Here):
        def carry_out(self, work, parts):
            for outcome in super().carry_out(work, parts):
                yield outcome
                if len(self.sent) == 7:
                    raise KeyboardInterrupt

    whole, rest = make(store), Here()
    with pytest.raises(KeyboardInterrupt):
        make(store, Cut())
    pd.testing.assert_frame_equal(make(store, rest), whole)
    assert len(rest.sent) == 36 - 7
    with pytest.raises(KeyboardInterrupt):
        make(store, Cut())
    (store[0] / STORE).write_text("other images")
    again = Here()
    make(store, again)
    assert len(again.sent) == 36


def test_few_images_need_no_workers(store):
    @contextmanager
    def refuse():
        raise AssertionError("a cluster was opened")
        yield

    folder, records, _ = store
    pixels = np.load(folder / PIXELS, mmap_mode="r")
    made = make_manifest(records, pixels, 3, partial(find_by_parts, refuse, folder))
    pd.testing.assert_frame_equal(made, make(store))


def test_a_part_that_nobody_can_compare_ends_the_command(store, in_parts):
    with pytest.raises(InputError, match=r"could not be compared for near duplicates: nobody can.*=null"):
        make(store, Here(2))


def test_pairs_that_others_imply_are_left_out(monkeypatch):
    """Each of many images looks like each: what is kept is no more than there are images."""
    everything = np.stack(np.triu_indices(50, 1)) * 3
    kept = thin(everything)
    assert kept.shape == (2, 50)
    assert (kept[0] == 0).all()
    monkeypatch.setattr(duplicates, "_MOST_PAIRS", 20)
    digests = pd.Series([f"{number}" for number in range(150)])
    pieces = np.array_split(everything, 30, axis=1)
    found = group_duplicates(digests, pd.Series(["00"] * 150), 1, lambda position: None, lambda hashes: pieces)
    assert found.tolist() == [0 if number % 3 == 0 else number for number in range(150)]
