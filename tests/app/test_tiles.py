"""Photographs of many fields, and crops of cells, on the page."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from leukoscope.app.reading import Desk
from leukoscope.app.rendering import describe_reader, render_part
from leukoscope.evaluation.trust import ABSTAINED
from leukoscope.reader.photographs import PHOTOGRAPH
from leukoscope.reader.scale import know_scale
from leukoscope.reader.second_reader import SecondReader
from tiny_reader import SIZE, draw_photograph, encode, shade


@dataclass
class KnownScale:
    ratio: float | None

    def compare(self, _: np.ndarray) -> float | None:
        return self.ratio


def sized(desk: Desk, ratio: float | None) -> Desk:
    return Desk(desk.reader.at_scale(KnownScale(ratio)), desk.options, desk._explanation, 1)


@pytest.fixture(scope="module")
def photograph() -> bytes:
    return encode(draw_photograph())


@pytest.fixture
def image(desk, photograph):
    return sized(desk, 3.0).read(photograph)


def test_a_photograph_is_read_in_tiles_and_gets_no_opinion_as_a_whole(image):
    assert (image.opinion, image.reason) == (ABSTAINED, PHOTOGRAPH)
    assert image.tiled.counts == {"Early": 6, "Pro": 6}
    assert image.tiled.side == SIZE
    assert image.probabilities["Early"] == pytest.approx(0.5, abs=0.05)
    assert sum(image.probabilities.values()) == pytest.approx(1)
    assert image.malignant == pytest.approx(1 - image.probabilities["Benign"])
    assert (image.nearest, image.cells) == ([], ())


def test_its_map_shows_each_tile_where_it_lies(image):
    assert list(image.maps) == ["tiles"]
    colours = np.asarray(Image.open(io.BytesIO(image.maps["tiles"])).convert("RGBA"))
    height, width = colours.shape[:2]
    assert width / height == pytest.approx(4 / 3, rel=0.01)
    corners = [colours[height // 20, width * part // 40] for part in (1, 11, 21, 31)]
    assert (corners[0] == corners[1]).all()
    assert (corners[2] == corners[3]).all()
    assert (corners[0] != corners[2]).any()


def test_the_page_says_how_many_tiles_are_taken_for_what(desk, image):
    said = render_part("opinion", image, describe_reader(desk.reader, None))
    assert "read in tiles of 32 pixels" in said
    assert "6 Early, 6 Pro" in said
    assert "out-of-distribution score" not in said
    assert "mean of the tiles" in render_part("chances", image, describe_reader(desk.reader, None))


def test_the_whole_is_not_read_beside_its_tiles(desk, photograph, monkeypatch):
    read, counts = SecondReader.read, []
    monkeypatch.setattr(SecondReader, "read", lambda self, pixels: counts.append(len(pixels)) or read(self, pixels))
    sized(desk, 3.0).read(photograph)
    assert counts == [12]


@pytest.mark.parametrize("ratio", [None, 1.0, 1.7])
def test_a_field_is_read_as_before(desk, photograph, ratio):
    image, before = sized(desk, ratio).read(photograph), desk.read(photograph)
    assert image.tiled is None
    assert image.warning is None
    assert image.probabilities == before.probabilities


def test_a_crop_is_said_to_be_one(desk):
    image = sized(desk, 0.25).read(encode(shade(160)))
    assert image.opinion == "Early"
    assert "4.0 times as large" in render_part("opinion", image, describe_reader(desk.reader, None))


def test_no_scale_is_learned_where_there_are_no_training_images(desk):
    assert know_scale(desk.reader, None).scale is None
