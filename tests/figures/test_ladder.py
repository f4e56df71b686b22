import pandas as pd
import pytest

from figure_parts import list_intervals, list_legend, list_words, read_line
from leukoscope.figures.ladder import draw_ladder

ROW = {"predictor": "border", "accuracy": 0.9, "low": 0.8, "high": 0.95, "groups": 1200}


def make_table(*rows) -> pd.DataFrame:
    return pd.DataFrame([ROW | row for row in rows])


def test_every_predictor_has_a_row_and_every_protocol_a_mark_with_its_interval():
    table = make_table(
        {"protocol": "image"},
        {"protocol": "image", "predictor": "hue_band", "accuracy": 0.5, "low": 0.4, "high": 0.6},
        {"protocol": "duplicate", "accuracy": 0.7, "low": 0.6, "high": 0.75, "groups": 900},
    )
    figure = draw_ladder(table, 0.4, "What can be told apart")
    axes = figure.axes[0]
    assert list_words(axes.get_yticklabels()) == ["border", "hue band"]
    assert read_line(axes, "image by image, copies on both sides (1,200 groups)") == ([0.9, 0.5], [-0.09, 0.91])
    assert read_line(axes, "copies together (900 groups)") == ([0.7], [0.09])
    assert list_intervals(axes) == [(0.8, 0.95, -0.09), (0.4, 0.6, 0.91), (0.6, 0.75, 0.09)]
    assert read_line(axes, "the largest class alone")[0] == [0.4, 0.4]
    assert list_legend(figure.legends[0])[-1] == "the largest class alone"
    assert axes.get_xlim() == (0, 1.02)
    assert axes.get_ylim() == (1.5, -0.5)
    assert figure.get_suptitle() == "What can be told apart"


def test_long_names_of_predictors_are_wrapped():
    table = make_table({"protocol": "image", "predictor": "two_channel_densenet_201_features"})
    assert list_words(draw_ladder(table, 0.4).axes[0].get_yticklabels()) == ["two channel\ndensenet 201\nfeatures"]


def test_one_protocol_stands_in_the_middle_of_its_row():
    axes = draw_ladder(make_table({"protocol": "image"}), 0.4).axes[0]
    assert axes.lines[0].get_ydata().tolist() == [0]


def test_an_interval_is_drawn_as_it_is_and_none_where_there_is_none():
    table = make_table(
        {"protocol": "image", "low": 0.95, "high": 0.99}, {"protocol": "appearance", "low": None, "high": None}
    )
    assert list_intervals(draw_ladder(table, 0.4).axes[0]) == [(0.95, 0.99, -0.09)]


def test_the_control_of_an_embargo_is_its_hollow_twin():
    table = make_table({"protocol": "series", "embargo": 37}, {"protocol": "series_control", "embargo": 37})
    strict, control, _ = draw_ladder(table, 0.4).axes[0].lines
    assert strict.get_color() == control.get_color()
    assert strict.get_marker() == control.get_marker()
    assert strict.get_markerfacecolor() == strict.get_color()
    assert control.get_markerfacecolor() == "white"


def test_many_protocols_get_room():
    few, many = (
        draw_ladder(make_table(*({"protocol": "series", "embargo": number} for number in range(count))), 0.4)
        for count in (2, 12)
    )
    assert many.get_size_inches()[1] > few.get_size_inches()[1] + 2
    heights = [line.get_ydata()[0] for line in many.axes[0].lines[:-1]]
    assert heights == pytest.approx(sorted(heights))
    assert -0.4 < heights[0] < heights[-1] < 0.4
