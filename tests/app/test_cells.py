"""A reader of single cells on the page: which cells its opinion rests on, and what it says without some of them."""

import numpy as np
import pytest

import cell_models
from leukoscope.app.reading import OCCLUSION, Desk
from leukoscope.app.rendering import describe_without, render_part
from leukoscope.app.server import list_pictures
from leukoscope.core.errors import InputError
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.inference.cell_evidence import weigh_for
from leukoscope.pipelines.explain.options import ExplanationOptions
from tiny_reader import encode

FIELD = 0


@pytest.fixture(scope="module")
def cells_desk(desk) -> Desk:
    return Desk(cell_models.make_reader(), desk.options, ExplanationOptions(patch=0.5, stride=0.5, cells=2), seed=1)


@pytest.fixture(scope="module")
def image(cells_desk):
    return cells_desk.read(encode(cell_models.make_fields().pixels[FIELD]))


def test_the_cells_that_speak_most_for_the_class_are_shown_with_an_overlay_of_all(cells_desk, image):
    table = weigh_for(cells_desk.reader.classifier.read_cells(image.pixels), image.likeliest)
    table = table.sort_values("speaks_for", ascending=False)
    assert [cell.number for cell in image.cells] == table["cell"].tolist()[:2]
    assert [cell.weight for cell in image.cells] == pytest.approx(table["weight"].tolist()[:2])
    assert list(image.maps) == ["cells"]
    assert {"cells.png", *(f"cell-{cell.number}.png" for cell in image.cells)} <= set(list_pictures(image))
    assert render_part("map", image, "cells") == f"the cells, by how strongly each supports {image.likeliest}"
    assert render_part("map", image, OCCLUSION) == f"what supports {image.likeliest} (occlusion)"


def test_an_export_has_them_too(image):
    shown = render_part("cells", image, 4, lambda cell: f"picture-{cell.number}")
    for cell in image.cells:
        assert f'src="picture-{cell.number}"' in shown
        assert f"{cell.speaks_for:+.2f}</strong> for {image.likeliest}, with {100 * cell.weight:.1f} %" in shown


def test_without_struck_cells_the_field_is_read_anew(cells_desk, image):
    struck = [image.cells[0].number]
    chances = cells_desk.read_without(image, struck)
    seen = cells_desk.reader.classifier.predict_without(image.pixels, struck).probabilities
    assert list(chances.values()) == pytest.approx(apply_temperature(seen, 2.0)[0])
    assert list(chances.values()) != pytest.approx(list(image.probabilities.values()))


def test_who_reads_whole_fields_cannot_strike_cells(desk):
    image = desk.read(encode(np.full((64, 64, 3), 160, np.uint8)))
    assert image.cells == ()
    with pytest.raises(InputError, match="does not read cells one by one"):
        desk.read_without(image, [1])


def test_what_becomes_of_an_opinion_is_said_in_words(image):
    other = next(name for name in image.probabilities if name != image.likeliest)
    kept = dict.fromkeys(image.probabilities, 0.1) | {image.likeliest: 0.7}
    turned = dict.fromkeys(image.probabilities, 0.1) | {other: 0.7}
    assert describe_without(image, [2], kept).startswith(
        f"Without cell 2 it stays {image.likeliest}, with 70.0 % instead of "
    )
    assert describe_without(image, [1, 3], turned) == (
        f"Without cells 1, 3 the likeliest class is {other}, with 70.0 %, and no longer {image.likeliest}, which has "
        "10.0 %."
    )
