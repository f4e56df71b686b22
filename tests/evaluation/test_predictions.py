import numpy as np

from leukoscope.evaluation.predictions import (
    number_predicted,
    probability_columns,
    select_split,
    tabulate_probabilities,
)

CLASSES = ["Benign", "Early", "Pre"]
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])


def test_columns_are_named_in_the_order_of_the_classes():
    table = tabulate_probabilities(PROBABILITIES, CLASSES)
    assert list(table) == ["predicted", "probability_benign", "probability_early", "probability_pre"]
    assert probability_columns(["Early pre-B"]) == ["probability_early_pre_b"]
    assert table["predicted"].tolist() == ["Benign", "Early", "Pre"]


def test_of_a_split_the_true_classes_probabilities_and_calls_are_selected_in_one_order():
    table = tabulate_probabilities(PROBABILITIES, CLASSES).assign(
        split=["test", "train", "test"], label=["Early", "Benign", "Pre"]
    )
    truth, probabilities = select_split(table, "test", CLASSES)
    assert truth.tolist() == [1, 2]
    assert probabilities.tolist() == PROBABILITIES[[0, 2]].tolist()
    assert number_predicted(table, "test", CLASSES).tolist() == [0, 2]
