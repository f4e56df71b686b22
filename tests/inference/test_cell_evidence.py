import numpy as np
import pytest

from cell_models import SIDE, make_classifier, make_fields
from conftest import CLASS_NAMES
from leukoscope.cells.masks import decode_mask
from leukoscope.core.errors import InputError
from leukoscope.inference.cell_evidence import CellMapper, weigh_for
from leukoscope.inference.explanation import make_mapper

FIELD, EMPTY = 0, int(np.flatnonzero(make_fields().counts == 0)[0])


@pytest.fixture(scope="module")
def classifier():
    return make_classifier()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return make_fields().pixels


def test_a_map_shows_each_cell_by_its_weight(classifier, pixels):
    mapper = make_mapper(classifier)
    assert isinstance(mapper, CellMapper)
    assert mapper.describe("Pro") == "cells by their weight"
    heat = mapper.map_classes(pixels[[FIELD, EMPTY]], np.array([0, 0]))
    cells = classifier.read_cells(pixels[FIELD])
    assert heat[0].max() == pytest.approx(1)
    assert not heat[1].any()
    outside = np.ones((SIDE, SIDE), bool)
    for cell in cells.to_dict("records"):
        inside = decode_mask(cell["mask"], SIDE, SIDE)
        assert heat[0][inside] == pytest.approx(cell["weight"] / cells["weight"].max())
        outside &= ~inside
    assert not heat[0][outside].any()


def test_a_map_has_the_size_of_its_field(classifier, pixels):
    large = np.repeat(np.repeat(pixels[FIELD], 2, axis=0), 2, axis=1)
    assert CellMapper(classifier).map_classes(large[None], np.array([0])).shape == (1, 2 * SIDE, 2 * SIDE)


def test_the_weightiest_cells_are_pictured_first(classifier, pixels):
    pictures = CellMapper(classifier).picture_cells(pixels[FIELD], "Pro", 2)
    cells = weigh_for(classifier.read_cells(pixels[FIELD]), "Pro").sort_values("weight", ascending=False)
    assert [cell.number for cell in pictures] == cells["cell"].tolist()[:2]
    assert [cell.weight for cell in pictures] == pytest.approx(cells["weight"].tolist()[:2])
    assert [cell.speaks_for for cell in pictures] == pytest.approx(cells["speaks_for"].tolist()[:2])
    side = classifier.cutting.side
    for shown, cell in zip(pictures, cells.to_dict("records"), strict=False):
        top, left = round(cell["row"] - side / 2), round(cell["column"] - side / 2)
        down, right = max(0, -top), max(0, -left)
        assert (
            shown.picture[down : side - 1, right : side - 1]
            == pixels[FIELD][max(0, top) : top + side - 1, max(0, left) : left + side - 1]
        ).all()
    assert CellMapper(classifier).picture_cells(pixels[EMPTY], "Pro", 2) == []


def test_how_far_cells_speak_for_the_classes_adds_up_to_nothing(classifier, pixels):
    cells = classifier.read_cells(pixels[FIELD])
    spoken = sum(weigh_for(cells, name)["speaks_for"] for name in CLASS_NAMES)
    assert spoken.to_numpy() == pytest.approx(0, abs=1e-6)


def test_a_field_is_predicted_anew_without_the_cells_that_are_struck(classifier, pixels):
    cells = classifier.read_cells(pixels[FIELD])
    whole = classifier.predict(pixels, np.array([FIELD])).probabilities
    assert classifier.predict_without(pixels[FIELD], []).probabilities == pytest.approx(whole, abs=1e-6)
    without = classifier.predict_without(pixels[FIELD], [1])
    painted = pixels[FIELD].copy()
    painted[decode_mask(cells["mask"][0], SIDE, SIDE)] = np.median(pixels[EMPTY], axis=(0, 1)).astype(np.uint8)
    assert len(classifier.read_cells(painted)) == len(cells) - 1
    assert without.probabilities == pytest.approx(classifier.predict(painted[None]).probabilities, abs=1e-3)
    nothing = classifier.predict_without(pixels[FIELD], cells["cell"])
    assert nothing.probabilities == pytest.approx(classifier.predict(pixels, np.array([EMPTY])).probabilities, abs=1e-6)


def test_a_cell_that_is_not_there_cannot_be_struck(classifier, pixels):
    with pytest.raises(InputError, match=r"no cell 7, 9: expected numbers of its 3 cells"):
        classifier.predict_without(pixels[FIELD], [9, 1, 7])
