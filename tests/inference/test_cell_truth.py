"""Whether a reader of cells goes by the blasts, where it is known which cells these are."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import crafted_models
from leukoscope.cells.masks import encode_mask
from leukoscope.inference import cell_truth
from leukoscope.inference.cell_truth import BLASTS, OTHERS, KnownField, Truth, draw_fields, name_cells
from leukoscope.models.base import Prediction
from leukoscope.models.stored import write_classifier
from leukoscope.synthetic import CLASSES, draw_smear_with_cells


@pytest.fixture(scope="module")
def known() -> KnownField:
    fields = (draw_smear_with_cells("Pre", np.random.default_rng(n), 224, others=0.5) for n in range(20))
    return KnownField(
        "Pre", next(drawn for drawn in fields if 2 <= sum(_list_blasts(drawn)) <= len(_list_blasts(drawn)) - 2)
    )


def _list_blasts(drawn) -> list[bool]:
    return [drawn.kinds[number - 1].is_blast for number in np.unique(drawn.cells[drawn.cells > 0])]


@dataclass
class Reader:
    """Finds the cells that were drawn; a field is Pre where enough of its blasts are left."""

    drawn: object
    weights: tuple[float, float] = (1.0, 0.0)  # of a blast, of another
    shares: tuple[float, float] = (1.0, -1.0)
    class_names: tuple[str, ...] = CLASSES
    read: list = field(default_factory=list)

    def _number(self) -> list[int]:
        return np.unique(self.drawn.cells[self.drawn.cells > 0]).tolist()

    def _predict(self, struck=()) -> Prediction:
        left = [n for n in self._number() if self.drawn.kinds[n - 1].is_blast and n not in struck]
        return Prediction(np.eye(4)[[2 if left else 0]], None)

    def predict(self, pixels) -> Prediction:
        return self._predict()

    def predict_without(self, image, struck) -> Prediction:
        return self._predict(struck)

    def read_cells(self, image) -> pd.DataFrame:
        numbers = self._number()
        others = [0 if self.drawn.kinds[n - 1].is_blast else 1 for n in numbers]
        masks = [encode_mask(self.drawn.cells == n) for n in numbers]
        table = pd.DataFrame({"cell": numbers, "mask": masks, "weight": [self.weights[other] for other in others]})
        shares = {f"contribution_{name}": 0.0 for name in CLASSES}
        return table.assign(**shares | {"contribution_Pre": [self.shares[other] for other in others]})


def test_cells_that_were_found_are_known_by_their_masks(known):
    drawn = known.drawn
    cells = Reader(drawn).read_cells(drawn.image)
    elsewhere = cells.assign(mask=encode_mask(np.eye(224, dtype=bool)))
    assert name_cells(cells, drawn)["blast"].tolist() == _list_blasts(drawn)
    assert name_cells(elsewhere, drawn)["blast"].isna().all()


def test_pairs_of_a_field_tell_whether_blasts_come_first(known):
    for weights, expected in (((0.3, 0.1), 1.0), ((0.1, 0.3), 0.0), ((0.2, 0.2), 0.5)):
        truth = Truth()
        truth.add_field(Reader(known.drawn, weights=weights), known)
        assert truth.measure_auroc("weight") == expected
        assert truth.measure_auroc("speaks_for") == 1.0
        blasts = _list_blasts(known.drawn)
        assert len(truth.pairs["weight"]) == sum(blasts) * (len(blasts) - sum(blasts))


def test_blasts_are_struck_and_then_as_many_others(known):
    truth = Truth()
    truth.add_field(Reader(known.drawn), known)
    assert (truth.measure_turned(BLASTS), truth.measure_turned(OTHERS)) == (1.0, 0.0)
    blasts = _list_blasts(known.drawn)
    assert truth.struck == {BLASTS: [sum(blasts)], OTHERS: [min(sum(blasts), len(blasts) - sum(blasts))]}


def test_a_field_of_which_the_class_was_not_found_counts_no_further(known):
    truth = Truth()
    truth.add_field(Reader(known.drawn), known._replace(label="Pro"))
    assert truth.right == [False]
    assert not any(truth.pairs.values())
    assert not any(truth.turned.values())


def test_fields_that_train_are_not_those_that_judge():
    trained, judged = (list(draw_fields(1, 32, 0.5, 0, purpose)) for purpose in range(2))
    again = list(draw_fields(2, 32, 0.5, 0, 0))
    for one, other in zip(trained, judged, strict=True):
        assert (one.drawn.image != other.drawn.image).any()
    assert [one.label for one in again] == [*CLASSES] * 2
    assert (trained[3].drawn.image == again[3].drawn.image).all()


def test_what_is_no_reader_of_cells_is_refused(tmp_path):
    write_classifier(crafted_models.make_reader().classifier, tmp_path)
    result = CliRunner().invoke(cell_truth.main, ["--model", str(tmp_path)])
    assert result.exit_code == 1
    assert "does not hold a reader of cells" in result.output
    assert "Traceback" not in result.output


def test_the_command_says_what_it_measured(known, monkeypatch):
    reader = SimpleNamespace(image_size=224)
    truth = Truth()
    truth.add_field(Reader(known.drawn), known)
    monkeypatch.setattr(cell_truth, "train_reader", lambda *taken: reader)
    monkeypatch.setattr(cell_truth, "judge_evidence", lambda classifier, fields: truth)
    result = CliRunner().invoke(cell_truth.main, ["--fields", "5"])
    assert result.exit_code == 0, result.output
    assert "malignant fields: 1, of which 1.000 get their class" in result.output
    assert "1.000 by weight, 1.000 by contribution" in result.output
    assert f"{OTHERS} struck" in result.output


def test_another_encoder_and_other_shares_of_normal_cells_can_be_asked_for(known, monkeypatch):
    taken = []
    monkeypatch.setattr(cell_truth, "draw_fields", lambda *facts: taken.append(facts) or [known] * 3)
    monkeypatch.setattr(
        cell_truth, "train_reader", lambda *facts: taken.append(facts) or SimpleNamespace(image_size=64)
    )
    monkeypatch.setattr(cell_truth, "judge_evidence", lambda classifier, fields: Truth([True]))
    asked = ["--architecture", "mobilenet_v2", "--trained-others", "0.1", "--epochs", "3", "--seed", "4"]
    result = CliRunner().invoke(cell_truth.main, asked)
    assert result.exit_code == 0, result.output
    training, validation, trained, judged = taken
    assert [facts[1:5] for facts in (training, validation, judged)] == [
        (224, 0.1, 4, 0),
        (224, 0.1, 4, 1),
        (64, 0.5, 4, 2),
    ]
    assert (trained[2], trained[3]["epochs"], trained[4]) == ("mobilenet_v2-cells-attention", 3, 4)


@pytest.mark.slow
def test_a_reader_that_is_trained_on_mixed_fields_goes_by_the_blasts():
    training, validation = (list(draw_fields(count, 224, 0.5, 0, purpose)) for count, purpose in ((32, 0), (6, 1)))
    reader = cell_truth.train_reader(
        training, validation, "sdct_cnn-cells-attention", cell_truth.RECIPE | {"epochs": 20}, 0
    )
    judged = [one for one in draw_fields(8, 224, 0.5, 0) if one.label != "Benign"]
    truth = cell_truth.judge_evidence(reader, judged)
    assert np.mean(truth.right) >= 0.8
    assert truth.measure_auroc("speaks_for") >= 0.9
    assert truth.measure_turned(BLASTS) >= 0.8
    assert truth.measure_turned(OTHERS) <= 0.1
