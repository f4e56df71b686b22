import itertools

import pytest

from figure_parts import list_cells, list_legend, list_words, read_line
from leukoscope.figures import panels

HISTORY = [{"epoch": number, "train_accuracy": 0.5, "validation_accuracy": 0.4} for number in (1, 2, 3)]
COUNTS = [[5, 1], [0, 6]]


def test_training_is_two_lines_with_a_legend_above_them():
    axes = panels.draw_learning(HISTORY).axes[0]
    assert read_line(axes, "validation") == ([1, 2, 3], [0.4] * 3)
    assert list_legend(axes.get_legend()) == ["train", "validation"]
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1


def test_one_epoch_is_a_point():
    axes = panels.draw_learning(HISTORY[:1]).axes[0]
    assert [line.get_marker() for line in axes.lines] == ["None", "o", "None", "o"]


def test_counts_are_written_and_long_names_cut():
    axes = panels.draw_small_confusion(COUNTS, ["Benign", "Malignant $x$"]).axes[0]
    assert list_words(axes.texts) == ["5", "1", "0", "6"]
    assert list_words(axes.get_yticklabels()) == ["Benign", "Malign…"]
    assert list_cells(axes)[1].tolist() == [0, 1]


def test_many_classes_have_colours_without_numbers_which_fit():
    names = [f"class {number}" for number in range(12)]
    axes = panels.draw_small_confusion([[1000] * 12] * 12, names).axes[0]
    assert set(list_words(axes.texts)) == {""}
    axes.figure.draw_without_rendering()
    labels = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(labels))


@pytest.mark.parametrize("classes", [["a", "b"], ["Benign", "Early", "Pre", "Pro"]])
def test_names_of_columns_do_not_overlap(classes):
    axes = panels.draw_small_confusion([[1] * len(classes)] * len(classes), classes).axes[0]
    axes.figure.draw_without_rendering()
    labels = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(labels))


def test_reliability_and_roc_show_what_was_traced():
    bins = {"confidence": [0.4, 0.9], "right": [0.3, 1.0], "images": [3, 9]}
    axes = panels.draw_reliability(bins).axes[0]
    assert axes.lines[1].get_xydata().tolist() == [[0.4, 0.3], [0.9, 1.0]]
    curve = {"false_positive": [0.0, 1.0], "true_positive": [0.5, 1.0]}
    axes = panels.draw_roc({"b": curve}, ["a", "b"]).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0.0, 0.5], [1.0, 1.0]]
