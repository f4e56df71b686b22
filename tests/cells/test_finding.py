import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest

from drawn_fields import draw_field
from leukoscope.cells import finding
from leukoscope.cells.finding import estimate_diameter, find_cells
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError

ROWS = np.arange(4)


@pytest.fixture
def fields() -> np.ndarray:
    discs = [[(32, 32, 9)], [(32, 20, 9), (32, 46, 9)], [], [(32, 32, 9)]]
    return np.stack([draw_field(each, side=64) for each in discs])


@pytest.fixture
def described(monkeypatch) -> list[int]:
    """How many cells there are in each field that was really looked at."""
    seen = []

    def describe(image, cells, diameter):
        seen.append(int(cells.max()))
        return original(image, cells, diameter)

    original = finding.describe_cells
    monkeypatch.setattr(finding, "describe_cells", describe)
    return seen


def test_a_field_is_looked_at_once(fields, described, tmp_path):
    cache = ContentCache(tmp_path / "kept" / "cells.db")
    first = find_cells(fields, ROWS, "classical", 18.0, cache)
    assert described == [1, 2, 0]  # two fields are the same
    assert [len(cells) for cells in first] == [1, 2, 0, 1]
    again = find_cells(fields, ROWS[::-1], "classical", 18.0, ContentCache(cache.file))
    assert len(described) == 3
    assert again == first[::-1]


@pytest.mark.parametrize("damage", [b"", b"no zlib", zlib.compress(b"no JSON"), None])
def test_a_damaged_entry_is_found_anew(fields, described, tmp_path, caplog, damage):
    cache = ContentCache(tmp_path / "cells.db")
    first = find_cells(fields, ROWS, "classical", 18.0, cache)
    with closing(sqlite3.connect(cache.file)) as database, database:
        database.execute("UPDATE fields SET measurements = ? WHERE rowid = 1", [damage])
    assert find_cells(fields, ROWS, "classical", 18.0, cache) == first
    assert len(described) == 4
    assert "damaged" in caplog.text


def test_another_size_or_detector_or_format_is_another_look(fields, described, tmp_path, monkeypatch):
    cache = ContentCache(tmp_path / "cells.db")
    find_cells(fields, ROWS, "classical", 18.0, cache)
    find_cells(fields, ROWS, "classical", 19.0, cache)
    assert len(described) == 6
    find_cells(fields, ROWS, "leukoscope.cells.classical:find_leukocytes", 18.0, cache)
    assert len(described) == 9
    monkeypatch.setattr(finding.classical, "FORMAT", -1)
    find_cells(fields, ROWS, "classical", 18.0, cache)
    assert len(described) == 12


def test_what_was_found_before_an_interruption_is_kept(fields, tmp_path, monkeypatch):
    cache = ContentCache(tmp_path / "cells.db")
    monkeypatch.setattr(finding, "spread", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find_cells(fields, ROWS, "classical", 18.0, cache)
    monkeypatch.undo()
    looked_at = []
    monkeypatch.setattr(finding, "describe_cells", lambda *_: looked_at.append(1) or [])
    find_cells(fields, ROWS, "classical", 18.0, cache)
    assert len(looked_at) == 2


def interrupted(work, pixels, rows):
    first = next(iter(rows))
    yield {first: work(pixels[rows[first]])}
    raise KeyboardInterrupt


def test_the_size_of_cells_is_that_of_most_fields(fields):
    assert estimate_diameter(fields, ROWS) == pytest.approx(18, abs=2)
    with pytest.raises(InputError, match=r"No field, of 1 looked at, .*cells.diameter"):
        estimate_diameter(fields, np.array([2]))


@pytest.mark.slow
def test_many_fields_are_looked_at_on_all_cores_in_their_order(tmp_path, caplog):
    caplog.set_level("INFO", logger="leukoscope")
    many = np.stack([draw_field([(32, 16, 8), (32, 48, 8)][: number % 3], side=64) for number in range(80)])
    many[:, 0, 0, 0] = np.arange(80)  # of which no two are the same
    found = find_cells(many, np.arange(80), "classical", 17.0, ContentCache(tmp_path / "cells.db"))
    assert [len(cells) for cells in found] == [number % 3 for number in range(80)]
    assert "Found the cells of 80 of 80 fields" in caplog.text
