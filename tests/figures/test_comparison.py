import numpy as np
import pandas as pd
import pytest

from figure_parts import list_intervals, list_legend, list_words, read_line
from leukoscope.figures.canvas import WIDTH
from leukoscope.figures.comparison import draw_comparison

BLIND = {"accuracy": 0.8, "low": 0.75, "high": 0.85}
ROW = {
    "title": "VGG16",
    "test_accuracy": 0.9,
    "test_accuracy_low": 0.85,
    "test_accuracy_high": 0.94,
    "test_macro_f1": 0.88,
    "test_macro_f1_low": None,
    "test_macro_f1_high": None,
    "test_auc": None,
    "train_accuracy": 0.99,
    "parameters": 14_700_000,
    "seconds_per_epoch": 20.25,
    "model_mib": 56.0,
    "report_test_accuracy": 0.97,
    "report_seconds_per_epoch": None,
}


def draw(*changes, blind=BLIND, **words):
    return draw_comparison(pd.DataFrame([ROW | change for change in changes or ({},)]), blind, **words)


def test_every_model_has_its_scores_with_their_intervals_and_values_beside_them():
    scores = draw({}, {"title": "ResNet50", "test_accuracy": 0.7}).axes[0]
    step = 0.17 / (0.16 + 4 * 0.17)
    values, heights = read_line(scores, "test accuracy")
    assert values == [0.9, 0.7]
    assert heights == pytest.approx([-1.5 * step, 1 - 1.5 * step])
    assert read_line(scores, "training accuracy")[0] == [0.99, 0.99]
    assert read_line(scores, "test AUC")[0] == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert list_words(scores.get_yticklabels()) == ["VGG16", "ResNet50"]
    (first, second) = list_intervals(scores)
    assert first == pytest.approx((0.85, 0.94, heights[0]), abs=1e-5)
    assert second == pytest.approx((0.85, 0.94, heights[1]), abs=1e-5)
    written = list_words(scores.texts)
    assert written == ["0.900", "0.700", "0.880", "0.880", "undefined", "undefined", "0.990", "0.990"]
    assert (scores.get_xlim(), scores.get_ylim()) == ((0, 1.02), (1.5, -0.5))


def test_no_line_runs_through_a_written_value():
    figure = draw({"test_accuracy": 1.0, "test_accuracy_low": 0.97, "test_accuracy_high": 1.0}, {})
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert axes.texts
        assert all(text.get_window_extent().x0 > box.x1 for text in axes.texts)
        assert all(text.get_window_extent().x1 < figure.bbox.x1 for text in axes.texts)


@pytest.mark.parametrize("models", [1, 5])
def test_title_legend_and_words_are_apart(models):
    rows = ({"title": f"model {number}"} for number in range(models))
    figure = draw(*rows, title="Drawn data, no real smears: " * 3, words="No difference is shown. " * 8)
    figure.draw_without_rendering()
    scores, *costs = figure.axes
    title, words = figure._suptitle.get_window_extent(), figure._supxlabel.get_window_extent()
    legend = scores.get_legend().get_window_extent()
    plots = [axes.get_tightbbox() for axes in (scores, *costs)]
    assert figure.bbox.y1 > title.y0 > legend.y1
    assert legend.y0 >= scores.get_window_extent().y1
    assert legend.x0 > 0
    assert all(plot.y0 > words.y1 for plot in plots)


def test_the_reports_figures_are_marks_of_their_own():
    figure = draw({}, {"title": "ResNet50", "report_test_accuracy": None})
    values, heights = read_line(figure.axes[0], "the report's own figure")
    assert values == pytest.approx([0.97, np.nan], nan_ok=True)
    assert heights == read_line(figure.axes[0], "test accuracy")[1]
    assert "the report's own figure" in list_legend(figure.axes[0].get_legend())
    without = draw_comparison(pd.DataFrame([ROW]).filter(regex="^(?!report_)"), BLIND)
    assert "the report's own figure" not in list_legend(without.axes[0].get_legend())


def test_what_stain_colour_alone_reaches_is_a_line_with_a_band():
    scores = draw().axes[0]
    assert read_line(scores, "stain colour alone: 0.800")[0] == [0.8, 0.8]
    (band,) = scores.patches
    assert (band.get_x(), band.get_width()) == (0.75, pytest.approx(0.1))
    assert not draw(blind=BLIND | {"low": None, "high": None}).axes[0].patches
    unknown = draw(blind=None)
    assert not [label for label in list_legend(unknown.axes[0].get_legend()) if label.startswith("stain")]


def test_costs_are_bars_with_their_values():
    _, parameters, seconds, size = draw({}, {"seconds_per_epoch": None, "report_seconds_per_epoch": 30.0}).axes
    assert [bar.get_width() for bar in parameters.patches] == [14.7, 14.7]
    assert [bar.get_width() for bar in size.patches] == [56, 56]
    assert list_words(parameters.texts) == ["14.7", "14.7"]
    assert list_words(seconds.texts) == ["20.2", "none"]
    assert seconds.lines[0].get_xdata().tolist() == pytest.approx([np.nan, 30], nan_ok=True)
    assert list_words(parameters.get_yticklabels()) == ["VGG16", "VGG16"]
    assert list_words(seconds.get_yticklabels()) == ["", ""]


def test_costs_that_no_model_has_and_large_ones_are_written_plainly():
    _, parameters, seconds, _ = draw({"parameters": None, "seconds_per_epoch": 12345.6}).axes
    assert list_words(parameters.texts) == ["none"]
    assert not parameters.get_xticks().size
    assert list_words(seconds.texts) == ["12,346"]


@pytest.mark.filterwarnings("error")
def test_long_titles_leave_room_for_the_plots():
    title = "DenseNet201 on the field and on the segmented field"
    figure = draw({"title": title, "seconds_per_epoch": 12345.6, "test_auc": None}, {"title": title})
    figure.draw_without_rendering()
    assert all(axes.get_window_extent().width > 0.09 * figure.bbox.width for axes in figure.axes)
    names = [label.get_window_extent() for label in figure.axes[1].get_yticklabels()]
    assert not names[0].overlaps(names[1])
    assert all(name.x0 > 0 for name in names)


def test_words_below_are_wrapped_and_titles_are_shown():
    figure = draw(words="No difference is shown. " * 8, title="Models compared")
    assert len(figure.get_supxlabel().splitlines()) == 3
    assert figure.get_suptitle() == "Models compared"
    assert draw().get_supxlabel() == ""


def test_many_models_make_the_figure_higher_not_wider():
    few, many = draw(), draw(*({"title": f"model {number}"} for number in range(20)))
    assert few.get_size_inches()[0] == many.get_size_inches()[0] == WIDTH
    assert many.get_size_inches()[1] > 5 * few.get_size_inches()[1]
    assert len(list_words(many.axes[0].get_yticklabels())) == 20
    many.draw_without_rendering()
    for axes in many.axes:
        heights = [text.get_window_extent().y0 for text in axes.texts]
        apart = sorted(set(np.round(heights, 3)))
        assert np.diff(apart).min() > 0.9 * axes.texts[0].get_window_extent().height
