import colorsys
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leukoscope.audit import blind
from leukoscope.images.source import open_source


class Fields:
    """Fields of one bright colour with a dark cell in the middle."""

    def __init__(self, cells: list[tuple[int, int, int]]) -> None:
        self.pixels = np.full((len(cells), 56, 56, 3), (230, 220, 240), np.uint8)
        for picture, cell in zip(self.pixels, cells, strict=True):
            picture[20:36, 20:36] = cell

    def rows(self, image_ids) -> np.ndarray:
        return np.arange(len(image_ids))


def describe(cells) -> dict[str, np.ndarray]:
    return blind.describe_blindly(Fields(cells), pd.Series(["a", "b"]))


def test_only_what_shows_the_whole_field_sees_the_cell():
    features = describe([(60, 20, 120), (20, 90, 20)])
    differing = {name for name, (one, other) in features.items() if (one != other).any()}
    assert differing == {"colour_histogram", "thumbnail", "hue_band"}


def test_each_has_its_number_of_features():
    sizes = {name: values.shape[1] for name, values in describe([(90, 20, 120)] * 2).items()}
    views = {"colour_histogram": 96, "background": 96, "border": 96, "corner": 612, "thumbnail": 192, "hue_band": 1}
    assert sizes == views


def paint(hue: float, saturation: float, value: float) -> list[int]:
    return [round(255 * channel) for channel in colorsys.hsv_to_rgb(hue / 360, saturation, value)]


@pytest.mark.parametrize(
    ("colour", "kept"),
    [
        (paint(253, 0.5, 0.7), True),
        (paint(243, 0.6, 0.8), True),
        (paint(263, 0.6, 0.8), True),
        (paint(230, 0.5, 0.7), False),
        (paint(240, 0.6, 0.8), False),
        (paint(266, 0.6, 0.8), False),
        (paint(275, 0.5, 0.7), False),
        (paint(253, 0.15, 0.7), False),  # hardly any colour
        (paint(253, 0.5, 0.15), False),  # hardly any light
        ([200, 200, 200], False),
        ([0, 0, 0], False),
    ],
)
def test_the_hue_band_is_blue_violet(colour, kept):
    assert describe([colour, (230, 220, 240)])["hue_band"].ravel().tolist() == [16 * 16 / 56**2 * kept, 0]


@pytest.mark.parametrize(
    ("colour", "kept"),
    [
        ((5, 0, 150), True),  # a hue of 240 + 60 * 5 / 150 = 242 degrees
        ((4, 0, 150), False),
        ((60, 0, 150), True),  # 264 degrees
        ((61, 0, 150), False),
        ((210, 205, 255), True),  # a saturation of 50 of 255, and 246 degrees
        ((210, 206, 255), False),
        ((5, 0, 50), True),  # a value of 50
        ((5, 0, 49), False),
    ],
)
def test_the_ends_of_the_hue_band_belong_to_it(colour, kept):
    assert blind._view_hue_band(np.array([[colour]], np.uint8)).item() == kept


def test_a_field_of_one_colour_is_background():
    background = describe([(230, 220, 240)] * 2)["background"]
    assert background.sum(axis=1) == pytest.approx(3)


def test_files_are_described_by_size_and_tables(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))
    paths = {"a.jpg": {"quality": 60}, "b.jpg": {"quality": 90}, "c.png": {}}
    (tmp_path / "Pre").mkdir()
    for name, options in paths.items():
        picture.save(tmp_path / "Pre" / name, **options)
    rows = blind.describe_files(open_source(tmp_path), [f"Pre/{name}" for name in paths])
    assert rows[:, 0].tolist() == [(tmp_path / "Pre" / name).stat().st_size for name in paths]
    assert rows[:, 1:3].tolist() == [[30, 20]] * 3
    assert rows[0, 3:].sum() > rows[1, 3:].sum() > rows[2, 3:].sum() == 0


def test_what_was_tabulated_comes_back():
    features = {"file": np.arange(6.0).reshape(2, 3), "corner": np.ones((2, 12))}
    table = blind.tabulate(pd.Series(["a", "b"], name="image_id"), features)
    assert table["image_id"].tolist() == ["a", "b"]
    back = blind.split_by_predictor(table)
    assert list(back) == ["file", "corner"]
    assert all((back[name] == values).all() for name, values in features.items())


@pytest.fixture
def images() -> pd.DataFrame:
    return pd.DataFrame({"image_id": list("abcd"), "sha256": ["1", "2", "3", "4"]})


@pytest.fixture
def features() -> pd.DataFrame:
    """The network learned from b, and c is another file now."""
    facts = {"image_id": list("dbca"), "split": ["test", "train", "test", "validation"], "sha256": ["4", "2", "?", "1"]}
    return pd.DataFrame(facts).assign(feature_0=[4.0, 2.0, 3.0, 1.0])


def test_images_that_a_network_learned_from_and_other_files_are_left_out(images, features):
    positions, values = blind.select_unseen(images, images["image_id"], features)
    assert positions.tolist() == [0, 3]
    assert values.tolist() == [[1.0], [4.0]]


def test_images_of_a_group_that_a_network_learned_from_are_left_out(images, features):
    positions, _ = blind.select_unseen(images, pd.Series(["x", "x", "y", "y"]), features)
    assert positions.tolist() == [3]


def test_a_network_of_other_images_has_nothing_left(images, features):
    positions, values = blind.select_unseen(images, images["image_id"], features.assign(image_id=list("wxyz")))
    assert len(positions) == len(values) == 0


def test_a_file_that_is_no_image_has_its_size_only():
    assert blind._describe_file(io.BytesIO(b"text").getvalue()).tolist() == [4.0] + [0.0] * 130
