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


def test_a_map_shows_how_far_each_cell_speaks_for_the_class(classifier, pixels):
    mapper = make_mapper(classifier)
    assert isinstance(mapper, CellMapper)
    assert mapper.describe("Pro") == "cells that speak for Pro"
    table = classifier.read_cells(pixels[FIELD])
    spoken = [weigh_for(table, name)["speaks_for"].sum() for name in CLASS_NAMES]
    for_class, against = int(np.argmax(spoken)), int(np.argmin(spoken))
    cells = weigh_for(table, CLASS_NAMES[for_class])
    assert (cells["speaks_for"] > 0).any()
    heat = mapper.map_classes(pixels[[FIELD, EMPTY]], np.array([for_class, 0]))
    assert heat[0].max() == pytest.approx(1)
    assert not heat[1].any()
    outside = np.ones((SIDE, SIDE), bool)
    for cell in cells.to_dict("records"):
        inside = decode_mask(cell["mask"], SIDE, SIDE)
        expected = max(0.0, cell["speaks_for"]) / cells["speaks_for"].max()
        assert heat[0][inside] == pytest.approx(expected, abs=1e-5)
        outside &= ~inside
    assert not heat[0][outside].any()
    assert (weigh_for(table, CLASS_NAMES[against])["speaks_for"] < 0).all()
    assert not mapper.map_classes(pixels[[FIELD]], np.array([against])).any()


def test_a_map_has_the_size_of_its_field(classifier, pixels):
    large = np.repeat(np.repeat(pixels[FIELD], 2, axis=0), 2, axis=1)
    assert CellMapper(classifier).map_classes(large[None], np.array([0])).shape == (1, 2 * SIDE, 2 * SIDE)


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_the_cells_that_speak_most_for_a_class_are_pictured_first(classifier, pixels, name):
    pictures = CellMapper(classifier).picture_cells(pixels[FIELD], name, 2)
    cells = weigh_for(classifier.read_cells(pixels[FIELD]), name).sort_values("speaks_for", ascending=False)
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


def test_a_cell_that_weighs_much_and_speaks_against_the_class_comes_last(classifier, pixels, monkeypatch):
    shares = {f"contribution_{name}": 0.0 for name in CLASS_NAMES} | {"contribution_Pro": [0.3, -0.5, 0.4]}
    table = classifier.read_cells(pixels[FIELD]).assign(weight=[0.2, 0.7, 0.1], **shares)
    monkeypatch.setattr(type(classifier), "read_cells", lambda self, image: table)
    pictures = CellMapper(classifier).picture_cells(pixels[FIELD], "Pro", 3)
    assert [cell.number for cell in pictures] == [3, 1, 2]


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
