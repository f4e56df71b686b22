import json

import numpy as np
import pandas as pd
import pytest

from drawn_fields import draw_field
from leukoscope.cells.crops import NEUTRAL, CellCrops, list_places
from leukoscope.cells.finding import find_cells
from leukoscope.cells.strips import CellStrips, Cutting, choose_cells
from leukoscope.cells.table import tabulate_cells
from leukoscope.core.errors import DamageError, InputError
from leukoscope.datasets import CellStripsDataset

SIDE, DIAMETER = 96, 18.0
DISCS = [[(30, 30, 9), (60, 60, 10), (30, 66, 8)], [], [(48, 48, 9)]]
IDS = ["a", "b", "c"]
CUTTING = Cutting("classical", DIAMETER, 42, "neutral")


def plan(bag: int = 2, seed: int = 1, cutting: Cutting = CUTTING, fields=(0, 1, 2)) -> CellStrips:
    pixels = np.stack([draw_field(discs, SIDE) for discs in DISCS])
    facts = pd.DataFrame({"image_id": IDS, "path": IDS, "label": "Benign", "sha256": ["0", "1", "2"]})
    cells = tabulate_cells(facts, find_cells(pixels, np.arange(3), "classical", DIAMETER))
    rows = list(fields)
    return CellStrips(pixels, np.array(rows), facts.iloc[rows].reset_index(drop=True), cells, cutting, bag, seed)


def test_a_strip_is_the_crops_of_a_field_one_below_the_other():
    given = plan(bag=3)
    strips = list(given.strips())
    assert np.stack(strips).shape == given.shape == (3, 3 * 42, 42, 3)
    of_first = given.cells[given.cells["image_id"] == "a"]
    crops = next(CellCrops(given.pixels, np.zeros(3, int), of_first, 42, True).chunks())
    assert (strips[0] == crops.reshape(-1, 42, 3)).all()
    assert (strips[2][42:] == NEUTRAL).all()
    assert (strips[1] == NEUTRAL).all()
    assert np.ptp(strips[2][:42]) > 0


def test_no_strip_has_more_slots_than_any_field_needs():
    assert [plan(bag=9).shape[1] // 42, plan(bag=9, fields=(1, 2)).shape[1] // 42] == [3, 1]
    assert plan(bag=9, fields=[1]).shape[1] // 42 == 1  # where there is no cell at all


def test_what_is_around_a_cell_is_kept_if_it_is_to_be():
    kept = list(plan(cutting=Cutting("classical", DIAMETER, 42, "kept")).strips())[2]
    assert (kept[:42] == plan().pixels[2, 27:69, 27:69]).all()


def test_cells_that_a_strip_has_no_room_for_are_drawn_by_the_seed_and_the_field():
    assert choose_cells(3, 3, 1, "a").tolist() == [0, 1, 2]
    draws = {tuple(choose_cells(30, 4, seed, field)) for seed in (1, 2) for field in ("a", "b")}
    assert len(draws) == 4
    assert all(list(draw) == sorted(set(draw)) for draw in draws)
    assert choose_cells(30, 4, 1, "a").tolist() == choose_cells(30, 4, 1, "a").tolist()
    alone = next(plan(fields=[0]).strips())  # nor does it matter what else there is
    assert (alone == next(plan().strips())).all()
    other = [next(plan(seed=seed).strips()) for seed in range(5)]
    assert any((strip != other[0]).any() for strip in other)


def test_strips_lie_where_packed_images_would(tmp_path):
    dataset = CellStripsDataset(filepath=(tmp_path / "strips").as_posix())
    dataset.save(plan())
    strips = dataset.load()
    assert (strips.pixels == np.stack(list(plan().strips()))).all()
    assert strips.rows(["c", "a"]).tolist() == [2, 0]
    assert strips.records["sha256"].tolist() == ["0", "1", "2"]
    expected = {"detector": "classical", "diameter": DIAMETER, "side": 42, "background": "neutral", "format": 2}
    assert json.loads(strips.identity)["cells"] == expected | {"bag": 2, "field": SIDE}
    dataset.save(plan(bag=1))
    assert dataset.load().pixels.shape == (3, 42, 42, 3)
    assert dataset.load().fingerprint != strips.fingerprint
    with pytest.raises(InputError, match="another run has packed"):
        type(strips)(*strips.__reduce__()[1])


@pytest.mark.slow
def test_strips_that_another_run_replaced_are_refused(tmp_path):
    ours, others = (CellStripsDataset(filepath=(tmp_path / "strips").as_posix()) for _ in range(2))
    ours.save(plan())
    others.save(plan(bag=1))
    with pytest.raises(InputError, match="another run has replaced"):
        ours.load()
    (tmp_path / "strips/pixels.npy").unlink()
    with pytest.raises(DamageError, match="lacks pixels"):
        others.load()


def test_facts_that_cannot_be_are_refused():
    assert Cutting.restore(CUTTING.describe()) == CUTTING
    for changed in ({"side": 0}, {"diameter": float("nan")}, {"background": "blue"}):
        with pytest.raises(ValueError, match="cells cannot be cut out"):
            Cutting.restore(CUTTING.describe() | changed)


def test_only_what_is_needed_of_a_cell_is_listed():
    assert list(list_places(plan().cells)[0]) == ["row", "column", "mask"]
