import numpy as np
import pandas as pd
import pytest

from leukoscope.cells.crops import NEUTRAL, CellCrops, choose_side
from leukoscope.cells.masks import encode_mask
from leukoscope.core.errors import InputError
from leukoscope.datasets import CellImagesDataset


def plan(neutral: bool, cells: int = 2) -> CellCrops:
    """A cell in the middle of the second field, and one in the corner of the first."""
    pixels = np.arange(2 * 20 * 20 * 3, dtype=np.uint32).reshape(2, 20, 20, 3).astype(np.uint8)
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 8:13, 8:13] = masks[1, :3, :3] = True
    table = pd.DataFrame(
        {"row": [10.0, 1.0], "column": [10.0, 1.0], "mask": [encode_mask(mask) for mask in masks]}
    ).iloc[:cells]
    return CellCrops(pixels, np.array([1, 0])[:cells], table, 8, neutral)


def test_a_crop_is_the_field_around_a_cell_at_its_scale():
    crops = np.concatenate(list(plan(neutral=False).chunks()))
    assert (crops[0] == plan(neutral=False).pixels[1, 6:14, 6:14]).all()


def test_beyond_the_field_a_crop_is_grey():
    crop = np.concatenate(list(plan(neutral=False).chunks()))[1]
    assert (crop[:3] == NEUTRAL).all()
    assert (crop[:, :3] == NEUTRAL).all()
    assert (crop[3:, 3:] == plan(neutral=False).pixels[0, :5, :5]).all()


def test_a_neutral_background_leaves_the_cell_alone():
    crop = np.concatenate(list(plan(neutral=True).chunks()))[0]
    cell = np.zeros((8, 8), bool)
    cell[2:7, 2:7] = True
    assert (crop[~cell] == NEUTRAL).all()
    assert (crop[cell] == plan(neutral=True).pixels[1, 8:13, 8:13].reshape(-1, 3)).all()


def test_crops_are_even_and_hold_most_cells():
    assert (choose_side(24), choose_side(25)) == (56, 58)


@pytest.mark.parametrize("cells", [2, 0])
def test_crops_are_kept_in_one_file(tmp_path, cells):
    dataset = CellImagesDataset(filepath=(tmp_path / "cells.npy").as_posix())
    dataset.save(plan(neutral=True, cells=cells))
    crops = dataset.load()
    assert crops.shape == (cells, 8, 8, 3)
    assert crops.dtype == np.uint8
    assert not crops.flags.writeable
    if cells:
        assert (crops == np.concatenate(list(plan(neutral=True).chunks()))).all()


def test_crops_that_another_run_has_replaced_or_that_are_no_images_are_refused(tmp_path):
    file = tmp_path / "cells.npy"
    dataset = CellImagesDataset(filepath=file.as_posix())
    dataset.save(plan(neutral=True))
    np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="another run"):
        dataset.load()
    with pytest.raises(InputError, match=r"holds float64 \(3,\), not images"):
        CellImagesDataset(filepath=file.as_posix()).load()
