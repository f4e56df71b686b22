from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from drawn_fields import draw_field
from leukoscope.audit.blanking import judge_blanked, select_test_fields
from leukoscope.audit.mirror import blank_cells, describe_by_cells, measure_reach
from leukoscope.audit.mirror_verdict import describe_mirror
from leukoscope.audit.verdict import Limits
from leukoscope.cells.description import describe_cells
from leukoscope.cells.table import tabulate_cells
from leukoscope.models.base import Prediction

SIDE, DIAMETER = 64, 16.0
# Of the first class small cells, two a field; of the second large ones, one a field; one field of each is empty.
DISCS = [[(20, 20, 5), (44, 44, 5)], [(18, 40, 5), (44, 20, 5)], [], [(30, 30, 9)], [(34, 26, 9)], []]
IDS = pd.Series([f"field-{number}" for number in range(len(DISCS))])
FIELDS = pd.DataFrame({"image_id": IDS, "path": IDS, "label": ["small"] * 3 + ["large"] * 3})


@dataclass
class Smears:
    """Stands in for packed images."""

    pixels: np.ndarray

    def rows(self, image_ids) -> np.ndarray:
        return np.array([list(IDS).index(name) for name in image_ids], int)


def label_discs(discs) -> np.ndarray:
    down, right = np.ogrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.int32)
    for number, (row, column, radius) in enumerate(discs, start=1):
        labels[(down - row) ** 2 + (right - column) ** 2 <= radius**2] = number
    return labels


@pytest.fixture
def smears() -> Smears:
    return Smears(np.stack([draw_field(discs, side=SIDE) for discs in DISCS]))


@pytest.fixture
def cells(smears) -> pd.DataFrame:
    found = [
        describe_cells(field, label_discs(discs), DIAMETER) for field, discs in zip(smears.pixels, DISCS, strict=True)
    ]
    return tabulate_cells(FIELDS, found)


def describe(smears, cells) -> dict[str, np.ndarray]:
    return describe_by_cells(smears, cells, IDS, DIAMETER, side=36)


def find_outside() -> np.ndarray:
    """Where no cell is, nor its rim."""
    return np.stack([label_discs([(row, column, radius + 3) for row, column, radius in discs]) == 0 for discs in DISCS])


def test_what_is_told_by_cells_does_not_depend_on_what_is_around_them(smears, cells):
    before = describe(smears, cells)
    smears.pixels[find_outside()] //= 2
    after = describe(smears, cells)
    for name in ("cell_number", "cell_form", "cell_texture", "grey_cells"):
        assert (after[name] == before[name]).all(), name
    assert not np.allclose(after["without_cells"], before["without_cells"])


def test_what_is_told_without_them_does_not_depend_on_the_cells(smears, cells):
    before = describe(smears, cells)
    smears.pixels[np.stack([label_discs(discs) > 0 for discs in DISCS])] //= 2
    after = describe(smears, cells)
    assert (after["without_cells"] == before["without_cells"]).all()
    assert not np.allclose(after["cell_texture"], before["cell_texture"])


def test_how_many_and_how_large_cells_are_is_told_apart_from_their_form(smears, cells):
    number = describe(smears, cells)["cell_number"]
    assert number[:, 0].tolist() == [2, 2, 0, 1, 1, 0]
    assert number[2, 1] == 0
    assert number[0, 1] < number[3, 1]


def test_a_field_without_cells_is_as_usual(smears, cells):
    form = describe(smears, cells)["cell_form"]
    assert np.isfinite(form).all()
    assert form[2] == pytest.approx(np.median(form[[0, 1, 3, 4]], axis=0))


def test_brightness_that_all_pixels_of_a_cell_have_plays_no_part_in_grey(smears, cells, rng):
    smears.pixels[:] = np.minimum(smears.pixels, 200) - rng.integers(0, 30, (SIDE, SIDE, 1), np.uint8)
    before = describe(smears, cells)
    smears.pixels += 20
    after = describe(smears, cells)
    for name in ("grey_cells", "cell_texture"):
        assert after[name] == pytest.approx(before[name]), name


def test_cells_are_painted_over_and_nothing_else(smears, cells):
    blank = blank_cells(smears.pixels, np.arange(len(DISCS)), cells, IDS, DIAMETER, 12)
    assert blank.dtype == np.uint8
    for field, painted, discs in zip(smears.pixels, blank, DISCS, strict=True):
        inside = label_discs(discs) > 0
        assert (painted[inside] == np.median(field[~inside], axis=0)).all()
        far = label_discs([(row, column, 16) for row, column, _ in discs]) == 0
        assert (painted[far] == field[far]).all()
    assert (blank[2] == smears.pixels[2]).all()


def test_what_was_painted_over_does_not_tell_its_form(rng):
    """A disc and a smaller one at the same place leave the same field."""
    flat = np.tile(rng.choice([210, 220, 220, 230], (1, SIDE, SIDE, 1)).astype(np.uint8), (2, 1, 1, 3))
    discs = [[(30, 30, 9)], [(30, 30, 4)]]
    for field, some in zip(flat, discs, strict=True):
        field[label_discs(some) > 0] = (90, 40, 120)
    found = [describe_cells(field, label_discs(some), DIAMETER) for field, some in zip(flat, discs, strict=True)]
    table = tabulate_cells(FIELDS.iloc[:2], found)
    blank = blank_cells(flat, np.arange(2), table, IDS.iloc[:2], DIAMETER, measure_reach(table, DIAMETER))
    assert (blank[0] == blank[1]).all()


def test_a_field_that_is_all_cell_is_painted_too():
    whole = np.full((1, SIDE, SIDE, 3), 90, np.uint8)
    found = [describe_cells(whole[0], np.ones((SIDE, SIDE), np.int32), DIAMETER)]
    blank = blank_cells(whole, np.arange(1), tabulate_cells(FIELDS.iloc[:1], found), IDS.iloc[:1], DIAMETER, 12)
    assert (blank == 230).all()


class ByDarkness:
    """Takes a field with many dark pixels for large cells."""

    class_names = ("small", "large")

    def predict(self, pixels, rows=None, batch_size=64) -> Prediction:
        chosen = pixels if rows is None else pixels[rows]
        large = (chosen.min(axis=3) < 150).mean(axis=(1, 2)) > 0.045
        return Prediction(np.stack([~large, large], axis=1).astype(np.float32), None)


def test_a_model_that_reads_cells_knows_nothing_without_them(smears, cells):
    facts = FIELDS.assign(group=IDS).iloc[[0, 1, 3, 4]]
    figures = judge_blanked(ByDarkness(), smears, cells, facts, DIAMETER, 0.95)
    assert (figures["accuracy"], figures["blanked"]) == (1.0, 0.5)
    assert (figures["images"], figures["groups"]) == (4, 4)
    assert figures["low"] < 0.5 < figures["high"]


LADDER = pd.DataFrame(
    {
        "protocol": ["duplicate", "series", "series_control"],
        "embargo": pd.array([None, 37, 37], "Int64"),
        "predictor": "cell_form",
        "accuracy": [0.9, 0.8, 0.85],
        "low": 0.7,
        "high": 0.95,
        "groups": 20,
    }
)


@pytest.mark.parametrize(
    ("low", "words"),
    [
        (0.7, "it knows the class without seeing a cell"),
        (0.5, "it knows much of the class without seeing a cell"),
        (0.3, "it was not shown to know much of the class without them"),
    ],
)
def test_each_network_is_told_in_a_sentence_what_it_knows_without_cells(low, words):
    row = {"model": "vgg16", "title": "VGG16", "accuracy": 0.98, "blanked": 0.75, "low": low, "high": 0.8}
    text = describe_mirror(
        LADDER, pd.DataFrame([row | {"images": 40, "groups": 30}]), Limits(0.25, 0.4, 0.625), 0.95, "abc"
    )
    (line,) = [line for line in text.splitlines() if line.startswith("VGG16")]
    assert line == (
        "VGG16 names the right class of 98 of 100 fields, and with the cells painted over of 75 of 100 fields "
        f"(0.750; {low:.3f} to 0.800 by 30 groups of its 40 test images in which cells were found): {words}."
    )


def test_of_each_predictor_the_strictest_protocol_is_told():
    text = describe_mirror(LADDER, pd.DataFrame(), Limits(0.25, 0.4, 0.625), 0.95, "abc")
    assert "more than 37 file numbers away" in text
    assert "the form of the cells names the right class of 80 of 100 fields (0.800; 0.700 to 0.950" in text
    assert "No trained model was there" in text


def test_one_group_of_test_images_allows_no_interval():
    row = {"model": "vgg16", "title": "VGG16", "accuracy": 1.0, "blanked": 1.0, "low": np.nan, "high": np.nan}
    text = describe_mirror(
        LADDER, pd.DataFrame([row | {"images": 3, "groups": 1}]), Limits(0.25, 0.4, 0.625), 0.95, "abc"
    )
    assert "VGG16: its test images are of 1 group, of which no interval can be given." in text


def test_what_could_not_be_judged_is_said():
    text = describe_mirror(LADDER.iloc[:0], pd.DataFrame(), Limits(1.0, 1.0, 1.0), 0.95, "abc")
    assert text.startswith("Not judged: there is one class alone, or too few groups to divide.")


def test_a_disc_hides_the_size_of_nearly_all_cells(smears, cells):
    reach = measure_reach(cells, DIAMETER)
    assert 9 + 1.6 < reach <= 9 + 1.6 + 2


def test_test_images_are_those_that_are_still_the_same_have_cells_and_never_trained(cells):
    images = FIELDS.assign(group=IDS, sha256=[f"sha-{number}" for number in range(6)])
    seen = images[["image_id", "sha256"]].assign(split=["test", "test", "test", "test", "train", "test"])
    assert select_test_fields(images, cells, seen)["image_id"].tolist() == ["field-0", "field-1", "field-3"]
    seen.loc[0, "sha256"] = "another"
    seen.loc[4, "sha256"] = "sha-1"
    assert select_test_fields(images, cells, seen)["image_id"].tolist() == ["field-3"]
