import numpy as np
import pytest

from figure_parts import list_cells, list_words
from leukoscope.figures.confusion import draw_confusion


def test_cells_have_counts_and_shares_of_the_true_class():
    (axes,) = draw_confusion([[3, 1], [0, 2]], ["Benign", "Pro"], "VGG16").axes
    assert list_words(axes.texts) == ["3\n75%", "1\n25%", "0", "2\n100%"]
    assert list_cells(axes).tolist() == [[0.75, 0.25], [0, 1]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert list_words(axes.get_xticklabels()) == list_words(axes.get_yticklabels()) == ["Benign", "Pro"]
    assert axes.get_title() == "darker: a larger share of the true class"
    assert axes.figure.get_suptitle() == "VGG16"


def test_a_class_without_images_has_counts_and_no_shares():
    axes = draw_confusion([[2, 2], [0, 0]], ["a", "b"]).axes[0]
    assert list_words(axes.texts) == ["2\n50%", "2\n50%", "0", "0"]
    assert np.isnan(list_cells(axes)[1]).all()


def test_a_single_class_is_drawn():
    axes = draw_confusion([[1234]], ["only"]).axes[0]
    assert list_words(axes.texts) == ["1,234\n100%"]


def test_many_classes_have_room_for_counts_only():
    names = [f"class {number}" for number in range(12)]
    figure = draw_confusion((7 * np.eye(12, dtype=int)).tolist(), names)
    axes = figure.axes[0]
    assert sorted(set(list_words(axes.texts))) == ["0", "7"]
    assert list_words(axes.get_xticklabels()) == names
    assert figure.get_size_inches()[1] == pytest.approx(0.42 * 12 + 1.2)
