import numpy as np
import pandas as pd
import pytest

from figure_parts import list_cells, list_intervals, list_legend, list_words, read_line
from leukoscope.figures import colours
from leukoscope.figures.robustness import draw_robustness, draw_strongest, tabulate_strongest

ROWS = [
    ("none", 0, 0.9, 0.8, 0.95),
    ("stain", 0.1, 0.8, 0.7, 0.85),
    ("stain", 0.2, 0.7, 0.6, 0.75),
    ("stain", 0.4, 0.6, 0.5, 0.65),
    ("grey", 0.5, 0.5, 0.4, 0.55),
    ("grey", 1.0, 0.4, np.nan, np.nan),
]
TABLE = pd.DataFrame(ROWS, columns=["perturbation", "level", "accuracy", "low", "high"])


def test_the_strongest_change_is_called_strong_however_many_there_are():
    figure = draw_robustness(TABLE, "VGG16")
    axes = figure.axes[0]
    assert list_words(axes.get_yticklabels()) == ["stain 0.1", "stain 0.2", "stain 0.4", "grey 0.5", "grey 1"]
    assert read_line(axes, "weak") == ([0.8], [0])
    assert read_line(axes, "middle") == ([0.7, 0.5], [1, 3])
    assert read_line(axes, "strong") == ([0.6, 0.4], [2, 4])
    assert list_legend(figure.legends[0]) == ["weak", "middle", "strong", "unchanged: 0.900"]
    assert read_line(axes, "unchanged: 0.900")[0] == [0.9, 0.9]
    assert figure.get_suptitle() == "VGG16"
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1.02), (4.5, -0.5))


def test_intervals_are_drawn_where_there_are_any():
    drawn = list_intervals(draw_robustness(TABLE).axes[0])
    assert sorted(drawn) == [(0.4, 0.55, 3), (0.5, 0.65, 2), (0.6, 0.75, 1), (0.7, 0.85, 0)]


def test_the_strengths_of_a_change_are_shaded_together():
    shades = draw_robustness(TABLE).axes[0].patches
    assert [(shade.get_y(), shade.get_height()) for shade in shades] == [(-0.5, 3)]


def test_a_change_of_one_strength_is_strong_and_more_than_three_begin_weak():
    table = TABLE[TABLE["perturbation"].isin(["none", "stain"])]
    more = pd.concat([table.iloc[:2], table.iloc[1:], table.iloc[:0]])
    assert read_line(draw_robustness(more).axes[0], "weak")[1] == [0, 1]
    one = draw_robustness(pd.concat([TABLE.iloc[:1], TABLE.iloc[-1:]])).axes[0]
    assert read_line(one, "strong") == ([0.4], [0])
    (line,) = (line for line in one.lines if line.get_label() == "strong")
    assert line.get_color() == colours.BLACK


def test_models_are_held_against_each_other_by_the_strongest_of_each_change():
    other = TABLE[TABLE["perturbation"] != "grey"].assign(accuracy=0.25)
    tables = {"VGG16": TABLE, "ResNet50": other}
    assert tabulate_strongest(tables).to_dict("index")["VGG16"] == {"stain": 0.6, "grey": 0.4}
    axes = draw_strongest(tables).axes[0]
    assert list_cells(axes) == pytest.approx(np.array([[0.6, 0.4], [0.25, np.nan]]), nan_ok=True)
    assert list_words(axes.texts) == ["0.60", "0.40", "0.25", ""]
    assert list_words(axes.get_yticklabels()) == ["VGG16", "ResNet50"]
    assert list_words(axes.get_xticklabels()) == ["stain", "grey"]


def test_models_of_long_titles_have_higher_rows():
    short, long = (draw_strongest({title: TABLE}) for title in ("VGG16", "a network on field and segmented field"))
    assert long.get_size_inches()[1] == pytest.approx(short.get_size_inches()[1] + 3 * 0.17 + 0.1 - 0.34)
