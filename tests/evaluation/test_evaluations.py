import json

import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.datasets import EvaluationsDataset
from leukoscope.evaluation import evaluations

SPLITS = pd.DataFrame({"image_id": list("abcd"), "label": "Pro", "split": ["train", "validation", "test", "test"]})
OTHERS = SPLITS.assign(split=["test", "train", "validation", "test"])


def evaluate(model: str, splits=SPLITS, group_by: str = "duplicate", data: str = "these", **metrics) -> dict:
    facts = {"model": "vgg16", "set_confidence": 0.95} | metrics.pop("facts", {})
    unit = f"by {group_by}"
    return evaluations.describe(
        splits, metrics, model_fingerprint=model, data=data, group_by=group_by, unit=unit, **facts
    )


@pytest.fixture
def dataset(tmp_path):
    return EvaluationsDataset(filepath=str(tmp_path / "evaluations.jsonl"))


def test_each_trained_model_looks_once_at_a_test_set(dataset):
    assert dataset.load() == []
    for model, splits in (("one", SPLITS), ("two", SPLITS), ("one", SPLITS), ("one", OTHERS)):
        dataset.save(evaluate(model, splits))
    kept = dataset.load()
    assert len(kept) == 3
    assert evaluations.count_looks(kept, evaluations.fingerprint_test(SPLITS)) == 2
    assert evaluations.count_looks(kept, evaluations.fingerprint_test(OTHERS)) == 1


def test_the_very_same_evaluation_changes_nothing(dataset, tmp_path):
    for model in ("one", "two"):
        dataset.save(evaluate(model))
    before = (tmp_path / "evaluations.jsonl").read_bytes()
    dataset.save(evaluate("one"))
    assert (tmp_path / "evaluations.jsonl").read_bytes() == before


def test_the_newest_figures_of_a_model_count(dataset):
    for accuracy in (0.5, 0.7):
        dataset.save(evaluate("one", test_accuracy=accuracy))
    assert [row["accuracy"] for row in dataset.load()] == [0.7]


def test_the_strictest_split_is_that_which_holds_most_together():
    kept = [
        evaluate("one", group_by="appearance", test_set_coverage=0.5),
        evaluate("two", OTHERS, test_set_coverage=0.9),
        evaluate("three", group_by="series", facts={"model": "vgg19"}),
        evaluate("four", group_by="series", data="other images"),
        evaluate("five", group_by="series", facts={"set_confidence": 0.8}),
    ]
    found = evaluations.find_strictest(kept, "vgg16", evaluations.fingerprint_test(OTHERS))
    assert (found["unit"], found["set_coverage"], found["present"]) == ("by appearance", 0.5, False)
    assert evaluations.find_strictest(kept, "resnet50", "any") is None


def test_of_equally_strict_splits_the_newest_counts(dataset):
    for model, coverage in (("one", 0.5), ("two", 0.6), ("one", 0.7)):
        dataset.save(evaluate(model, test_set_coverage=coverage))
    found = evaluations.find_strictest(dataset.load(), "vgg16", evaluations.fingerprint_test(SPLITS))
    assert (found["model_fingerprint"], found["set_coverage"]) == ("one", 0.7)


def test_a_damaged_file_is_told(dataset, tmp_path):
    (tmp_path / "evaluations.jsonl").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        dataset.load()


def test_rows_of_an_earlier_version_are_read_and_written_anew(dataset, tmp_path, caplog):
    file = tmp_path / "evaluations.jsonl"
    row = evaluate("one")
    old = {name: value for name, value in row.items() if not name.startswith("model")}
    file.write_text(json.dumps({"backbone": "vgg16", "model": "one"} | old) + "\n")
    assert dataset.load() == [row]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    dataset.save(evaluate("two"))
    assert "backbone" not in file.read_text()
    assert [kept["model_fingerprint"] for kept in dataset.load()] == ["one", "two"]
