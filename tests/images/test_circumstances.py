import numpy as np
import pytest

from leukoscope.images.circumstances import CIRCUMSTANCES, VERSION, change_fields
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
    assert 1 < np.abs(changed.astype(int) - fields).mean() < 80
    for ours, theirs in zip(changed, fields, strict=True):  # the cells stay where they are
        assert np.corrcoef(ours.mean(axis=2).ravel(), theirs.mean(axis=2).ravel())[0, 1] > 0.8


def test_there_are_changes_of_each_group():
    assert list(CIRCUMSTANCES) == ["stain", "light", "focus", "camera"]
    assert len(NAMED) == 18


def test_the_changes_of_this_version_are_these():
    """What is changed in them needs another version, since readers are kept with it."""
    field = np.random.default_rng(3).integers(60, 250, (48, 48, 3)).astype(np.uint8)
    changed = {group: [one(field).astype(float) for one in changes] for group, changes in CIRCUMSTANCES.items()}
    left = {group: [one[:, :24].mean() for one in fields] for group, fields in changed.items()}
    spread = {group: [one[..., 2].std() for one in fields] for group, fields in changed.items()}
    assert VERSION == 1
    assert left["stain"] == pytest.approx([179, 183, 127, 130, 170, 175, 115, 120], abs=1)
    assert left["light"] == pytest.approx([123, 180, 144, 146, 165], abs=1)
    assert spread["light"] == pytest.approx([44, 60, 47, 55, 56], abs=1)
    assert spread["focus"] == pytest.approx([54, 25], abs=1)
    assert spread["camera"] == pytest.approx([56, 40, 15], abs=1.5)
