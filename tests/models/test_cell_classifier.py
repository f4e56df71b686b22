import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cell_models import DIAMETER, SIDE, make_classifier, make_fields
from conftest import CLASS_NAMES
from leukoscope.cells import detector, finding
from leukoscope.cells.detector import trust_detector
from leukoscope.cells.masks import decode_mask
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import DamageError, InputError
from leukoscope.evaluation.voting import Vote, weigh
from leukoscope.models import cell_classifier
from leukoscope.models.base import Classifier
from leukoscope.models.cell_classifier import CellClassifier
from leukoscope.models.ensemble import EnsembleClassifier
from leukoscope.models.stored import Known, load_classifier, write_classifier
from leukoscope.models.viewed import ViewedClassifier


@pytest.fixture(scope="module")
def classifier() -> CellClassifier:
    return make_classifier(head_norm=True)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return make_fields().pixels


def test_it_is_a_classifier_that_reads_cells(classifier):
    assert isinstance(classifier, Classifier)
    assert classifier.capabilities == {"features", "cells", "export", "epochs"}
    assert (classifier.class_names, classifier.image_size, classifier.trained_on) == (
        tuple(CLASS_NAMES), SIDE, "splits"
    )  # fmt: skip
    assert classifier.find_fault() is None


def test_a_field_is_predicted_alike_whatever_is_beside_it(classifier, pixels, monkeypatch):
    rows = np.arange(11)[::-1]
    together = classifier.predict(pixels, rows)
    assert together.probabilities.sum(axis=1) == pytest.approx(np.ones(11), abs=1e-5)
    assert np.ptp(together.features, axis=0).max() > 0.1
    monkeypatch.setattr(cell_classifier, "_FIELDS", 4)
    alone = [classifier.predict(pixels[row][None], batch_size=1) for row in rows]
    for part, whole in ((classifier.predict(pixels, rows, batch_size=2), together),):
        assert part.probabilities == pytest.approx(whole.probabilities, abs=1e-5)
    assert np.concatenate([one.features for one in alone]) == pytest.approx(together.features, abs=1e-4)


def test_a_field_without_cells_gets_the_bias_alone(classifier, pixels):
    empty = int(np.flatnonzero(make_fields().counts == 0)[0])
    seen = classifier.predict(pixels, np.array([empty]))
    assert seen.features[0].tolist() == [0] * seen.features.shape[1]
    assert classifier.score(seen)[0] == pytest.approx(classifier.network.parts.linear_head.bias, abs=1e-6)
    assert len(classifier.read_cells(pixels[empty])) == 0


@pytest.mark.parametrize("pooling", ["attention", "mean", "attention-grey"])
def test_what_cells_add_adds_up_to_the_score(pooling, pixels):
    classifier = make_classifier(pooling, head_norm=True)
    for field in np.flatnonzero(make_fields().counts)[:3]:
        table = classifier.read_cells(pixels[field])
        assert len(table) == make_fields().counts[field]
        assert table["weight"].sum() == pytest.approx(1, abs=1e-5)
        shares = table[[f"contribution_{name}" for name in CLASS_NAMES]].to_numpy()
        score = classifier.score(classifier.predict(pixels, np.array([field])))[0]
        assert shares.sum(axis=0) + classifier.network.parts.linear_head.bias == pytest.approx(score, abs=1e-4)


def test_a_cell_is_told_where_it_is(classifier, pixels):
    table = classifier.read_cells(pixels[0])
    assert table["cell"].tolist() == [1, 2, 3]
    assert not table["cut"].any()
    for cell in table.to_dict("records"):
        inside = decode_mask(cell["mask"], SIDE, SIDE)
        rows, columns = np.nonzero(inside)
        assert (rows.min(), columns.max() + 1) == (cell["top"], cell["right"])


def test_fields_of_another_size_are_brought_to_that_of_training(classifier, pixels):
    larger = np.stack([np.asarray(Image.fromarray(one).resize((2 * SIDE, 2 * SIDE))) for one in pixels[:3]])
    assert len(classifier.read_cells(larger[0])) == 3
    seen, expected = classifier.predict(larger), classifier.predict(pixels[:3])
    assert seen.probabilities == pytest.approx(expected.probabilities, abs=0.1)


def test_cells_that_were_found_are_not_looked_for_again(pixels, tmp_path, monkeypatch):
    np.save(tmp_path / "packed.npy", pixels)
    pixels = np.load(tmp_path / "packed.npy", mmap_mode="r")
    classifier = make_classifier(cache=tmp_path / "cells.db")
    expected = classifier.predict(np.array(pixels), np.arange(3)).probabilities
    assert not (tmp_path / "cells.db").exists()  # a changed field, in memory, does not come again
    assert np.array_equal(classifier.predict(pixels, np.arange(3)).probabilities, expected)
    monkeypatch.setattr(finding, "detect", None)
    assert np.array_equal(classifier.predict(np.array(pixels), np.arange(3)).probabilities, expected)
    assert np.array_equal(classifier.predict(pixels, np.arange(3)).probabilities, expected)


def test_what_was_saved_predicts_as_before(classifier, pixels, tmp_path):
    write_classifier(classifier, tmp_path)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["classifier.json", "model.keras"]
    loaded = load_classifier(tmp_path)
    names = ("class_names", "trained_on", "image_size", "fingerprint", "cutting", "capabilities", "architecture")
    assert [getattr(loaded, name) for name in names] == [getattr(classifier, name) for name in names]
    seen, expected = (one.predict(pixels, np.arange(4)) for one in (loaded, classifier))
    assert seen.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    again = tmp_path / "again"
    again.mkdir()
    write_classifier(loaded, again)
    assert load_classifier(again).fingerprint == classifier.fingerprint


@pytest.mark.parametrize("lazily", [False, True])
def test_a_network_stays_in_its_file_if_it_may(classifier, pixels, tmp_path, lazily):
    write_classifier(classifier, tmp_path)
    loaded = load_classifier(tmp_path, lazily=lazily)
    assert loaded.fingerprint == classifier.fingerprint
    (tmp_path / "model/model.keras").unlink()
    if lazily:
        with pytest.raises(FileNotFoundError):
            loaded.predict(pixels, np.arange(1))
    else:
        assert len(loaded.predict(pixels, np.arange(1)).features) == 1


@pytest.mark.slow
def test_it_is_a_member_of_votes_and_sees_views(classifier, pixels, tmp_path):
    vote = EnsembleClassifier({"one": classifier, "other": make_classifier("mean")}, Vote(weigh([1, 1])))
    np.save(tmp_path / "packed.npy", pixels)
    pixels = np.load(tmp_path / "packed.npy", mmap_mode="r")
    for name, whole in (("vote", vote), ("views", ViewedClassifier(classifier, "symmetries"))):
        (tmp_path / name).mkdir()
        write_classifier(whole, tmp_path / name)
        loaded = load_classifier(tmp_path / name, Known(cells=ContentCache(tmp_path / "cells.db")))
        assert loaded.fingerprint == whole.fingerprint
        seen = loaded.predict(pixels, np.arange(2))
        assert seen.probabilities == pytest.approx(whole.predict(pixels, np.arange(2)).probabilities, abs=1e-5)
    assert (tmp_path / "cells.db").is_file()  # members know what was found


@pytest.mark.parametrize("pooling", ["attention", pytest.param("mean", marks=pytest.mark.slow)])
def test_memory_is_bounded_whatever_a_field_holds(pixels, pooling, monkeypatch):
    classifier = make_classifier(pooling, head_norm=True)
    rows = np.arange(6)
    whole, table = classifier.predict(pixels, rows), classifier.read_cells(pixels[2])
    without = classifier.predict_without(pixels[2], [1])
    slots = []
    stack = cell_classifier.Cutting.stack

    def count(self, field, cells, number):
        slots.append(number)
        return stack(self, field, cells, number)

    monkeypatch.setattr(cell_classifier.Cutting, "stack", count)
    monkeypatch.setattr(cell_classifier, "_CELLS_AN_IMAGE", 2)
    monkeypatch.setattr(cell_classifier, "_CELLS_AT_ONCE", 2)
    parts = classifier.predict(pixels, rows, batch_size=1)
    assert parts.features == pytest.approx(whole.features, abs=1e-4)
    assert parts.probabilities == pytest.approx(whole.probabilities, abs=1e-5)
    pd.testing.assert_frame_equal(classifier.read_cells(pixels[2]), table, atol=1e-4)
    assert classifier.predict_without(pixels[2], [1]).probabilities == pytest.approx(without.probabilities, abs=1e-5)
    assert max(slots) == 2 < make_fields().counts[rows].max()


def change_facts(home, **changed) -> None:
    file = home / "model/classifier.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cutting": {"detector": "classical"}}, r"classifier\.json is damaged"),
        ({"fingerprint": "0"}, "not the one that it was made of"),
        ({"architecture": "tiny-cells-attention-grey"}, "not the one that it was made of"),
        ({"kind": "quantum"}, "no kind of classifier 'quantum'"),
    ],
)
def test_a_damaged_file_is_told(classifier, tmp_path, changed, message):
    write_classifier(classifier, tmp_path)
    change_facts(tmp_path, **changed)
    with pytest.raises(DamageError, match=message):
        load_classifier(tmp_path)


def test_a_damaged_network_is_told(classifier, tmp_path):
    write_classifier(classifier, tmp_path)
    (tmp_path / "model/model.keras").write_bytes(b"PK")
    with pytest.raises(DamageError, match=r"model\.keras is damaged"):
        load_classifier(tmp_path)


def test_cells_of_another_version_are_told(classifier, tmp_path):
    write_classifier(classifier, tmp_path)
    change_facts(tmp_path, cutting=classifier.cutting.describe() | {"format": 0})
    with pytest.raises(InputError, match="another version of Leukoscope found"):
        load_classifier(tmp_path)


def test_a_detector_that_a_file_names_is_not_imported(classifier, tmp_path, monkeypatch):
    """Only one that the configuration at hand names too."""
    monkeypatch.setattr(detector, "_trusted", {"classical"})
    own = replace(classifier, cutting=replace(classifier.cutting, detector="antigravity:fly"))
    write_classifier(own, tmp_path)
    with pytest.raises(InputError, match="antigravity:fly, which is not the one of the configuration") as caught:
        load_classifier(tmp_path)
    assert "\n" not in str(caught.value)
    trust_detector("antigravity:fly")
    assert load_classifier(tmp_path).cutting.detector == "antigravity:fly"


def test_whatever_predictions_depend_on_is_in_the_fingerprint(classifier):
    others = [replace(classifier, architecture="tiny-cells-attention-grey")]
    for name, value in (("diameter", DIAMETER + 1), ("side", 50), ("background", "kept"), ("detector", "a:b")):
        others.append(replace(classifier, cutting=replace(classifier.cutting, **{name: value})))
    others.append(make_classifier("mean"))
    assert len({one.fingerprint for one in [classifier, *others]}) == len(others) + 1
