"""Photographs of many fields, and crops of single cells."""

import numpy as np
import pytest

import tiny_reader
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.reader.photographs import (
    CLOSE_UP,
    PHOTOGRAPH,
    SMALL_CELLS,
    Tile,
    cut_tiles,
    log_scales,
    read_tiles,
    warn_of_scale,
)
from leukoscope.reader.scale import Scale
from leukoscope.synthetic.smears import draw_smear

LABELS = ("Benign", "Early", "Pre", "Pro")


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([draw_smear(LABELS[number % 4], rng) for number in range(12)])


@pytest.fixture(scope="module")
def scale(fields) -> Scale:
    return Scale.learn(fields, np.arange(12))


@pytest.mark.parametrize("enlarged", [1, 2])
def test_a_photograph_is_known_by_its_small_cells(fields, scale, enlarged):
    photograph = np.concatenate([np.concatenate(fields[start : start + 4], axis=1) for start in (0, 4, 8)])
    photograph = photograph.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    ratio = scale.compare(photograph)
    assert ratio == pytest.approx(3, rel=0.3)
    tiles = cut_tiles(*photograph.shape[:2], ratio, 224)
    assert 0.7 * enlarged * 224 <= tiles[0].right <= 1.4 * enlarged * 224
    assert 9 <= len(tiles) <= 24


def test_a_field_is_none(fields, scale):
    ratios = [scale.compare(field) for field in fields]
    assert all(cut_tiles(224, 224, ratio, 224) == [] for ratio in ratios)
    assert {warn_of_scale(ratio, 224, 224, 224) for ratio in ratios} == {None}


def test_a_crop_is_known_by_its_large_cells(scale):
    rng = np.random.default_rng(1)
    ratios = [scale.compare(draw_smear(label, rng, size=96, magnification=5.0)) for label in LABELS]
    assert all(warn_of_scale(ratio, 96, 96, 224).startswith(CLOSE_UP) for ratio in ratios)


def test_a_field_is_known_by_its_grain_and_what_may_be_none_by_its_cells(fields, scale, monkeypatch):
    counted = []
    monkeypatch.setattr("leukoscope.reader.scale._count_across", lambda image: counted.append(image.shape) or 5.0)
    assert all(0.7 < scale.compare(field) < 1.4 for field in fields[:4])
    assert len(counted) < 4
    counted.clear()
    scale.compare(draw_smear("Pro", np.random.default_rng(1), size=96, magnification=8.0))
    assert counted == [(96, 96, 3)]


def test_nothing_is_said_of_what_has_no_nuclei(scale):
    empty = np.full((300, 400, 3), 230, np.uint8)
    assert scale.compare(empty) is None
    assert Scale.learn(empty[None], np.array([0])) is None
    assert warn_of_scale(None, 300, 400, 224) is None
    assert cut_tiles(3000, 4000, None, 224) == []


def test_tiles_cover_all_of_it_and_are_squares_of_one_size():
    tiles = cut_tiles(1944, 2592, 4.5, 224)
    assert tiles[0] == Tile(0, 0, 432, 432)
    assert len(tiles) == 5 * 6
    seen = np.zeros((1944, 2592), bool)
    for tile in tiles:
        seen[tile.top : tile.bottom, tile.left : tile.right] = True
    assert seen.all()
    assert {(tile.right - tile.left, tile.bottom - tile.top) for tile in tiles} == {(432, 432)}


@pytest.mark.parametrize(
    ("height", "width", "ratio", "why"),
    [
        (1944, 2592, 1.9, "its cells are not small enough"),
        (300, 300, 4.0, "it has too few pixels to be cut"),
    ],
)
def test_some_are_read_whole(height, width, ratio, why):
    assert cut_tiles(height, width, ratio, 224) == [], why


def test_tiles_are_not_smaller_than_there_is_to_see_nor_too_many():
    tiles = cut_tiles(1000, 1000, 20.0, 224)
    assert tiles[0].right == 168
    sizes = [(20000, 30000), (3000, 4000), (4000, 6000), (3456, 5184), (6000, 8000), (2000, 40000)]
    assert all(300 < len(cut_tiles(*size, 200.0, 32)) <= 400 for size in sizes)


def test_each_tile_is_read_as_a_field():
    reader = tiny_reader.make_reader()
    left, right = (np.full((64, 64, 3), shade, np.uint8) for shade in (160, 40))
    read = read_tiles(reader, np.concatenate([left, right], axis=1), [Tile(0, 0, 64, 64), Tile(64, 0, 128, 64)])
    assert list(read["left"]) == [0, 64]
    chances = read[probability_columns(tiny_reader.CLASS_NAMES)].to_numpy()
    assert list(chances.argmax(axis=1)) == [1, 3]


@pytest.mark.parametrize(
    ("ratio", "side", "begins"),
    [(1.9, 1944, None), (3.0, 1944, PHOTOGRAPH), (3.0, 300, SMALL_CELLS), (0.51, 1944, None), (0.5, 1944, CLOSE_UP)],
)
def test_what_is_no_field_is_said_to_be_none(ratio, side, begins):
    warning = warn_of_scale(ratio, side, side, 224)
    assert warning is None if begins is None else warning.startswith(begins)


def test_the_log_says_once_how_many_there_are_and_what_to_do(caplog):
    photograph, crop = warn_of_scale(3.0, 1944, 1944, 224), warn_of_scale(0.25, 96, 96, 224)
    log_scales({None: 5, photograph: 2, f"palette; {crop}": 1}, are_tiled=False)
    [record] = caplog.records
    assert record.getMessage().startswith("Of 8 images 3 are not of the training images' scale: 2 a photograph")
    assert "cut it into fields" in record.getMessage()
    assert "1 a crop of a cell or a few (read as a field" in record.getMessage()
    caplog.clear()
    log_scales({None: 5}, are_tiled=True)
    assert not caplog.records


@pytest.mark.parametrize("shape", [(40, 4000, 3), (12800, 64, 3), (8, 8, 3)])
def test_a_strip_has_no_scale(rng, shape):
    assert Scale(8.0, 0.05, 0.02).compare(rng.integers(0, 256, shape, np.uint8)) is None
