"""Doubtful labels among made predictions."""

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation import label_issues
from leukoscope.evaluation.label_issues import find_label_issues, summarise
from leukoscope.evaluation.predictions import tabulate_probabilities


def make_pooled(truth: np.ndarray, labels: np.ndarray, class_names: list[str], seed: int) -> pd.DataFrame:
    """Make what a model says that is right about most images, whatever their label."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 0.5, (len(truth), len(class_names))) + 3 * np.eye(len(class_names))[truth]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    ids = [f"{number:03d}" for number in range(len(truth))]
    table = tabulate_probabilities(probabilities, class_names)
    return table.assign(image_id=ids, label=np.array(class_names)[labels], group=ids)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, 300)


def test_labels_that_were_swapped_are_found_and_come_with_the_right_class(truth, class_names):
    labels = truth.copy()
    labels[:9] = (labels[:9] + 1) % 4
    pooled = {name: make_pooled(truth, labels, class_names, seed) for seed, name in enumerate(("one", "two"))}
    pooled["two"] = pooled["two"].sample(frac=1, random_state=1)  # rows of models may be in another order
    found = find_label_issues(pooled, class_names)
    swapped = found[found["image_id"] < "009"].set_index("image_id").sort_index()
    assert len(swapped) == len(found) > 3  # and of those that are left some are less sure than most of their class
    assert swapped["suggested"].tolist() == [class_names[truth[int(name)]] for name in swapped.index]
    assert (swapped["models"] == 2).all()
    assert (swapped["probability_label"] < swapped["probability_suggested"]).all()
    assert found["probability_label"].is_monotonic_increasing


def test_right_labels_are_left_alone(truth, class_names):
    assert len(find_label_issues({"one": make_pooled(truth, truth, class_names, 3)}, class_names)) <= 3


def test_models_of_other_images_are_refused(truth, class_names):
    one, two = (make_pooled(truth, truth, class_names, seed) for seed in (1, 2))
    two["image_id"] = "other " + two["image_id"]
    with pytest.raises(InputError, match=r"No image is predicted by all of one, two"):
        find_label_issues({"one": one, "two": two}, class_names)


def test_a_missing_cleanlab_is_asked_for(truth, class_names, monkeypatch):
    monkeypatch.setattr(label_issues, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs cleanlab, which is not installed: pip install .*\[labels\]"):
        find_label_issues({"one": make_pooled(truth, truth, class_names, 3)}, class_names)


def test_verdicts_are_of_the_label_that_was_reviewed():
    issues = pd.DataFrame({"sha256": ["1", "2"], "label": ["Pro", "Pre"], "suggested": ["Pre", "Pro"], "data": "f00d"})
    reviews = pd.DataFrame({"sha256": ["1", "2", "2"], "label": ["Early", "Pre", "Pre"], "verdict": ["a", "b", "c"]})
    summary = summarise(issues, reviews, "f00d")
    assert summary["reviewed"] == 1
    assert [row["verdict"] for row in summary["first"]] == ["", "c"]
