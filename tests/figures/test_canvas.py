import numpy as np
import pytest

from figure_parts import list_cells, list_words
from leukoscope.figures import canvas


def test_a_figure_is_as_wide_as_any_and_higher_by_the_lines_of_its_title():
    plain, titled = canvas.make_figure(3), canvas.make_figure(3, "a title that is longer than a line " * 3)
    assert tuple(plain.get_size_inches()) == (canvas.WIDTH, 3)
    lines = titled.get_suptitle().splitlines()
    assert len(lines) == 3
    assert titled.get_size_inches()[1] == pytest.approx(3 + 3 * 0.24)
    assert plain.get_suptitle() == ""


def test_values_stand_beside_the_plot_on_a_level_with_their_marks_and_say_what_is_undefined():
    axes = canvas.make_figure(2).subplots()
    canvas.write_values(axes, [0, 1, 2.5], [0.5, None, np.nan], ".2f")
    assert list_words(axes.texts) == ["0.50", "undefined", "undefined"]
    assert [text.get_position() for text in axes.texts] == [(1.02, 0), (1.02, 1), (1.02, 2.5)]


def test_long_names_are_broken_into_lines_and_their_rows_are_higher():
    names = canvas.wrap_names(["VGG16", "a network on field and segmented field"])
    assert names == ["VGG16", "a network on field\nand segmented\nfield"]
    assert canvas.measure_row(names[:1], 0.3) == 0.3
    assert canvas.measure_row(names, 0.3) == pytest.approx(3 * 0.17 + 0.1)


def test_cells_begin_at_the_top_and_have_light_letters_on_dark_ground():
    axes = canvas.make_figure(2).subplots()
    canvas.draw_cells(axes, np.array([[0.9, 0.1], [np.nan, 0.5]]), [["a", "b"], ["c", "d"]])
    assert axes.yaxis_inverted()
    assert list_cells(axes) == pytest.approx(np.array([[0.9, 0.1], [np.nan, 0.5]]), nan_ok=True)
    shown = {text.get_text(): (text.get_position(), text.get_color()) for text in axes.texts}
    assert shown == {
        "a": ((0.5, 0.5), "white"),
        "b": ((1.5, 0.5), "black"),
        "c": ((0.5, 1.5), "black"),
        "d": ((1.5, 1.5), "black"),
    }
    assert axes.collections[0].get_clim() == (0, 1)


@pytest.mark.parametrize(("columns", "turned"), [(["a", "b"], 0), (["a name that is long"] * 4, 40)])
def test_long_names_of_columns_are_turned(columns, turned):
    axes = canvas.make_figure(2).subplots()
    canvas.name_cells(axes, ["one"], columns)
    assert list_words(axes.get_xticklabels()) == canvas.wrap_names(columns)
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {turned}
    assert list_words(axes.get_yticklabels()) == ["one"]


def test_what_is_missing_is_no_number():
    assert canvas.as_numbers([1, None, np.nan]) == pytest.approx([1, np.nan, np.nan], nan_ok=True)
