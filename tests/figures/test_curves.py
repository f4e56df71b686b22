import numpy as np
import pandas as pd
import pytest

from figure_parts import list_legend, list_words, read_line
from leukoscope.figures import colours
from leukoscope.figures.curves import draw_learning_curves, draw_roc_curves


def make_history(validation_loss) -> pd.DataFrame:
    epochs = np.arange(1, len(validation_loss) + 1)
    shares = {"train_accuracy": 0.1 * epochs, "validation_accuracy": 0.05 * epochs}
    return pd.DataFrame({"epoch": epochs, "train_loss": 1.0 / epochs, "validation_loss": validation_loss} | shares)


def test_accuracy_and_loss_are_drawn_by_epoch_with_the_lowest_validation_loss():
    figure = draw_learning_curves(make_history([0.9, 0.4, 0.6]), "VGG16")
    accuracy, loss = figure.axes
    assert read_line(accuracy, "train")[0] == [1, 2, 3]
    assert read_line(accuracy, "train")[1] == pytest.approx([0.1, 0.2, 0.3])
    assert read_line(accuracy, "validation")[1] == pytest.approx([0.05, 0.1, 0.15])
    assert read_line(loss, "train")[1] == pytest.approx([1, 1 / 2, 1 / 3])
    assert read_line(loss, "validation") == ([1, 2, 3], [0.9, 0.4, 0.6])
    for axes in (accuracy, loss):
        assert read_line(axes, "lowest validation loss")[0] == [2, 2]
    assert accuracy.get_ylim() == (0, 1.02)
    assert (accuracy.get_yscale(), loss.get_yscale()) == ("linear", "log")
    assert list_legend(figure.legends[0]) == ["train", "validation", "lowest validation loss"]
    assert (figure.get_suptitle(), loss.get_xlabel()) == ("VGG16", "epoch")


@pytest.mark.parametrize(("losses", "written"), [([1.2, 0.9, 2.2], "0.5 1 2"), ([4.0, 0.02], "0.02 0.1 1")])
def test_losses_are_written_as_people_write_numbers(losses, written):
    figure = draw_learning_curves(make_history(losses))
    figure.draw_without_rendering()
    axes = figure.axes[1]
    low, high = axes.get_ylim()
    labels = list_words(label for label in axes.get_yticklabels() if low <= label.get_position()[1] <= high)
    assert set(written.split()) <= set(labels)
    assert not [words for words in labels if "$" in words]
    assert not axes.get_yticklabels(minor=True)


def test_a_single_epoch_is_a_mark():
    accuracy = draw_learning_curves(make_history([0.5])).axes[0]
    assert read_line(accuracy, "train") == ([1], [0.1])
    assert accuracy.lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("losses", "best"), [([np.nan, 0.4, np.nan], [2, 2]), ([np.nan, np.nan], None)], ids=["some", "all"]
)
def test_a_loss_that_is_no_number_leaves_a_gap_and_is_not_the_lowest(losses, best):
    loss = draw_learning_curves(make_history(losses)).axes[1]
    assert read_line(loss, "validation")[1] == pytest.approx(losses, nan_ok=True)
    drawn = [line for line in loss.lines if line.get_label() == "lowest validation loss"]
    assert [list(line.get_xdata()) for line in drawn] == ([best] if best else [])


STEPS = {"false_positive": [0.0, 0.0, 0.5, 1.0], "true_positive": [0.0, 0.5, 1.0, 1.0]}


def test_a_class_has_its_own_colour_whichever_others_have_no_curve():
    figure = draw_roc_curves({"Pre": STEPS}, ["Benign", "Early", "Pre"], "VGG16")
    (axes,) = figure.axes
    curve, diagonal = axes.lines
    assert curve.get_xydata().tolist() == [[0, 0], [0, 0.5], [0.5, 1], [1, 1]]
    assert curve.get_color() == colours.BLUE
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert list_legend(figure.legends[0]) == ["Pre (AUC 0.875)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("1 - specificity", "sensitivity")


def test_of_many_classes_no_two_curves_look_alike():
    names = [f"class {number}" for number in range(12)]
    lines = draw_roc_curves(dict.fromkeys(names, STEPS), names).axes[0].lines[:-1]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 12


def test_images_of_one_class_have_no_curve_and_that_is_said():
    figure = draw_roc_curves({}, ["Benign", "Pro"])
    (axes,) = figure.axes
    assert list_words(axes.texts) == ["undefined: all images are of one class"]
    assert not figure.legends
    assert len(axes.lines) == 1
