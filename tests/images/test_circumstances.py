import numpy as np
import pytest

from leukoscope.features.stains import GIEMSA
from leukoscope.images.circumstances import CIRCUMSTANCES, VERSION, change_fields
from leukoscope.images.perturbations import scale_dyes
from leukoscope.synthetic import CLASSES, draw_smear

NAMED = {f"{group} {number}": one for group, changes in CIRCUMSTANCES.items() for number, one in enumerate(changes)}


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    return np.stack([draw_smear(label, np.random.default_rng(n), 64) for n, label in enumerate(CLASSES)])


@pytest.mark.parametrize("name", NAMED)
def test_a_change_is_the_same_each_time_and_leaves_a_field(name, fields):
    changed = change_fields(fields, NAMED[name])
    assert changed.shape == fields.shape
    assert changed.dtype == np.uint8
    assert (changed == change_fields(fields, NAMED[name])).all()
    assert 1 < np.abs(changed.astype(int) - fields).mean() < 60
    for ours, theirs in zip(changed, fields, strict=True):  # the cells stay where they are
        assert np.corrcoef(ours.mean(axis=2).ravel(), theirs.mean(axis=2).ravel())[0, 1] > 0.8


def test_there_are_changes_of_each_group():
    assert list(CIRCUMSTANCES) == ["stain", "light", "focus", "camera"]
    assert len(NAMED) == 16
    assert VERSION == 1


def test_dyes_are_scaled_one_by_one_and_nothing_else():
    blue = np.rint(256 * np.exp(-GIEMSA[0] * np.linspace(0.2, 1.2, 8)[:, None]) - 1).astype(np.uint8)[None]
    assert np.abs(scale_dyes(blue, (1, 0.5, 1)).astype(int) - blue).max() <= 4
    expected = 256 * np.exp(-GIEMSA[0] * np.linspace(0.1, 0.6, 8)[:, None]) - 1
    assert scale_dyes(blue, (0.5, 1, 1))[0] == pytest.approx(expected, abs=3)


def test_dyes_that_are_not_changed_stay(fields):
    assert np.abs(scale_dyes(fields[0], (1, 1, 1)).astype(int) - fields[0]).max() <= 1
