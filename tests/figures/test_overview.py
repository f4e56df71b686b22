import numpy as np
import pytest

from figure_parts import list_intervals, list_legend, list_words
from leukoscope.figures.overview import draw_overview

BLIND = {"accuracy": 0.51, "low": 0.41, "high": 0.61}
ROWS = [
    {"title": "VGG16", "test_accuracy": 0.5, "test_accuracy_low": 0.4, "test_accuracy_high": 0.6},
    {"title": "ResNet50", "test_accuracy": 0.9, "test_accuracy_low": 0.85, "test_accuracy_high": 0.95},
]


def test_the_best_stands_on_top_with_its_interval_and_its_value_beside_it():
    axes = draw_overview(ROWS, [False, True], BLIND).axes[0]
    assert list_words(axes.get_yticklabels()) == ["ResNet50", "VGG16"]
    assert list_words(axes.texts) == ["0.900", "0.500"]
    assert list_intervals(axes) == [(0.85, 0.95, 0), (0.4, 0.6, 1)]


def test_what_is_shown_to_be_better_is_filled_and_stain_colour_a_band():
    figure = draw_overview(ROWS, [False, True], BLIND)
    (axes,) = figure.axes
    filled = {line.get_label(): line.get_markerfacecolor() for line in axes.lines}
    assert filled["shown to be better"] != "white"
    assert filled["not shown to be better"] == "white"
    (band,) = axes.patches
    assert (band.get_x(), band.get_width()) == (0.41, pytest.approx(0.2))
    assert "stain colour alone: 0.510" in list_legend(figure.legends[0])


def test_what_was_published_is_marked_where_there_is_some():
    figure = draw_overview(ROWS, [False, False], None, [0.98, None])
    line = next(line for line in figure.axes[0].lines if line.get_marker() == "D")
    assert line.get_xdata().tolist() == pytest.approx([np.nan, 0.98], nan_ok=True)
    assert "published, other images" not in list_legend(draw_overview(ROWS, [False] * 2, None, [None] * 2).legends[0])
