import numpy as np
import pandas as pd
import pytest

from figure_parts import list_intervals, list_legend, list_words, read_line
from leukoscope.evaluation.folds import FIGURES
from leukoscope.figures.folds import draw_folds

POOLED, FOLD = "all folds pooled, with interval", "one fold"


@pytest.fixture
def figure():
    ends = {f"{name}_{end}": value for name in FIGURES for end, value in (("low", 0.7), ("high", 0.9))}
    rows = [
        {"model": name, "folds": folds} | dict.fromkeys(FIGURES, 0.8) | ends for name, folds in (("a", 3), ("b", 5))
    ]
    table = pd.DataFrame(rows)
    table.loc[1, ["auc", "auc_low", "auc_high"]] = None
    folds = pd.DataFrame(
        [{"model": name} | dict.fromkeys(FIGURES, value) for name, value in (("a", 0.75), ("a", 0.85), ("b", None))]
    )
    return draw_folds(table, folds)


def test_each_metric_has_the_pooled_figure_of_each_model_with_its_interval_and_its_folds(figure):
    assert [axes.get_title() for axes in figure.axes] == ["accuracy", "balanced accuracy", "macro F1", "AUC"]
    axes = figure.axes[0]
    assert read_line(axes, POOLED) == ([0.8, 0.8], [0, 1])
    assert list_intervals(axes) == [(0.7, 0.9, 0), (0.7, 0.9, 1)]
    values, rows = read_line(axes, FOLD)
    assert values == pytest.approx([0.75, 0.85, np.nan], nan_ok=True)
    assert rows == pytest.approx([0.25, 0.25, 1.25])
    assert list_words(axes.get_yticklabels()) == ["a", "b"]
    assert axes.get_ylim() == (1.5, -0.5)


def test_what_is_undefined_has_no_mark(figure):
    axes = figure.axes[3]
    assert read_line(axes, POOLED)[0] == pytest.approx([0.8, np.nan], nan_ok=True)
    assert list_intervals(axes) == [(0.7, 0.9, 0)]


def test_the_title_has_the_numbers_of_folds_and_the_legend_is_there_once(figure):
    assert figure.get_suptitle() == "Cross-validation with 3/5 folds: every image is tested once"
    assert [list_legend(legend) for legend in figure.legends] == [[POOLED, FOLD]]
