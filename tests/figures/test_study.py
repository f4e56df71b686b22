import numpy as np
import pandas as pd
import pytest

from figure_parts import list_intervals, list_legend, list_words, read_line
from leukoscope.figures.study import draw_differences, draw_estimates, draw_histories

TITLES = {"a": "Model A", "b": "Model B"}


def test_each_model_has_its_accuracy_with_interval_and_a_point_a_unit():
    study = pd.DataFrame(
        {"model": ["a", "b"], "accuracy": [0.9, 0.8], "accuracy_low": [0.85, np.nan], "accuracy_high": [0.95, np.nan]}
    )
    units = pd.DataFrame({"model": ["a", "a", "b"], "accuracy": [0.91, 0.89, np.nan]})
    figure = draw_estimates(study, units, TITLES)
    (axes,) = figure.axes
    assert read_line(axes, "all seeds, with interval") == ([0.9, 0.8], [0, 1])
    assert read_line(axes, "one unit")[0] == pytest.approx([0.91, 0.89, np.nan], nan_ok=True)
    assert read_line(axes, "one unit")[1] == [0.25, 0.25, 1.25]
    assert list_intervals(axes) == [(0.85, 0.95, 0)]
    assert list_words(axes.get_yticklabels()) == ["Model A", "Model B"]
    assert list_words(axes.texts) == ["0.900", "0.800"]


def test_differences_that_are_real_are_filled():
    pairs = {"first": ["a", "b"], "second": ["b", "a"], "difference": [0.1, -0.1], "low": [0.02, -0.3]}
    table = pd.DataFrame(pairs | {"high": [0.2, 0.1], "real": [True, False]})
    (axes,) = draw_differences(table, TITLES).axes
    marks = [line for line in axes.lines if line.get_marker() == "s"]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, True]
    assert list_intervals(axes) == [(0.02, 0.2, 0), (-0.3, 0.1, 1)]
    assert list_words(axes.texts) == ["+0.100", "-0.100"]
    assert [name.replace("\n", " ") for name in list_words(axes.get_yticklabels())] == [
        "Model A minus Model B",
        "Model B minus Model A",
    ]


def test_curves_of_all_units_lie_over_one_another_with_the_median_of_each_model():
    units = [
        pd.DataFrame({"epoch": [1, 2], "validation_accuracy": [0.1 * number, 0.2], "validation_loss": [2.0, 1.0]})
        for number in range(1, 5)
    ]
    histories = pd.concat(
        [unit.assign(model="ab"[number % 2], fold=number, seed=1) for number, unit in enumerate(units)]
    )
    figure = draw_histories(histories, TITLES)
    above, below = figure.axes
    assert read_line(above, "Model A") == ([1, 2], pytest.approx([0.2, 0.2]))
    assert read_line(above, "Model B") == ([1, 2], pytest.approx([0.3, 0.2]))
    assert len(above.lines) == len(below.lines) == 6
    assert list_legend(figure.legends[0]) == ["Model A", "Model B"]
    assert above.lines[0].get_color() != above.lines[-1].get_color()


def test_a_model_without_epochs_has_no_curve():
    histories = pd.DataFrame({"model": ["a"], "fold": 1, "seed": 1, "epoch": 1, "validation_accuracy": 0.5})
    figure = draw_histories(histories.assign(validation_loss=1.0), TITLES)
    assert list_legend(figure.legends[0]) == ["Model A"]
