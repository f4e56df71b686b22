"""No written word hides another one or a mark, with few and with many models."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from leukoscope.figures.canvas import fit_points
from leukoscope.figures.confusion import draw_confusion
from leukoscope.figures.curves import draw_roc_curves
from leukoscope.figures.overview import draw_overview
from leukoscope.figures.search import draw_history
from leukoscope.figures.study import draw_differences, draw_estimates, draw_histories
from leukoscope.figures.trust import draw_calibration

LONG = "DenseNet201 on the field and on the segmented field"
MANY = pytest.mark.parametrize("models", [2, 5, 20])


def list_boxes(figure: Figure) -> list:
    """List the boxes of all that is written, slanted names aside, whose boxes say nothing."""
    figure.draw_without_rendering()
    texts = [label for legend in figure.legends for label in legend.get_texts()]
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
            texts += [label for place, label in ticks if min(ends) <= place <= max(ends)]
        texts += axes.get_legend().get_texts() if axes.get_legend() else []
    shown = [text for text in texts if text.get_text() and text.get_rotation() in (0, 90)]
    return [text.get_window_extent() for text in shown]


def list_overlaps(boxes: list) -> list:
    """List the pairs of boxes that overlap by more than the blank around letters."""
    inner = [box.shrunk(0.9, 0.8) for box in boxes]
    return [pair for pair in combinations(inner, 2) if pair[0].overlaps(pair[1])]


def require_room(figure: Figure) -> None:
    """Make sure that no two words overlap, and that none leaves the figure."""
    boxes = list_boxes(figure)
    assert not list_overlaps(boxes)
    assert all(box.x0 > -1 and box.x1 < figure.bbox.x1 + 1 for box in boxes)


def name_models(models: int) -> dict[str, str]:
    return {f"m{number}": f"VGG {number}" if number else LONG for number in range(models)}


@MANY
def test_legends_of_many_models_leave_room_for_curves(models):
    epochs = pd.DataFrame({"epoch": [1, 2], "validation_accuracy": [0.5, 0.6], "validation_loss": [1.0, 0.5]})
    histories = pd.concat([epochs.assign(model=model, fold=1, seed=1) for model in name_models(models)])
    figure = draw_histories(histories, name_models(models))
    require_room(figure)
    assert all(axes.get_window_extent().height > 100 for axes in figure.axes)


@MANY
def test_values_of_models_and_pairs_stand_beside_their_intervals(models):
    titles = name_models(models)
    values = np.linspace(0.4, 1, models)
    table = pd.DataFrame({"model": list(titles), "title": list(titles.values()), "colour_accuracy": 0.6})
    for end, shift in (("", 0), ("_low", -0.1), ("_high", 0.1)):
        table[f"accuracy{end}"] = table[f"test_accuracy{end}"] = np.minimum(values + shift, 1)
    require_room(draw_estimates(table, table[["model", "accuracy"]], titles))
    blind = {"accuracy": 0.5, "low": 0.4, "high": 0.6}
    require_room(draw_overview(table.to_dict("records"), [True] * models, blind, [0.9] * models))
    pairs = pd.DataFrame(list(combinations(titles, 2)), columns=["first", "second"])
    pairs = pairs.assign(difference=np.linspace(-0.2, 0.3, len(pairs)), low=-0.3, high=0.4, real=False)
    figure = draw_differences(pairs, titles)
    require_room(figure)
    assert len(figure.axes[0].texts) == min(len(pairs), 24)
    assert ("smaller ones are in the table" in figure.axes[0].get_xlabel()) is (models == 20)


@MANY
def test_legends_of_curves_stand_below_them(models):
    names = [f"class {number}" for number in range(models)]
    curve = {"false_positive": [0.0, 1.0], "true_positive": [0.0, 1.0]}
    figure = draw_roc_curves(dict.fromkeys(names, curve), names)
    require_room(figure)
    legend = figure.legends[0].get_window_extent()
    assert legend.y1 <= figure.axes[0].get_window_extent().y0
    assert figure.axes[0].get_window_extent().height > 280


@pytest.mark.parametrize("right", [0.1, 0.9])
def test_legends_of_calibration_stand_above_it(right):
    bins = {"confidence": [0.1, 0.9], "right": [right, right], "images": [3, 5]}
    risk = {"coverage": [0.1, 1.0], "risk": [0.3, 0.1], "confidence": [1.0, 0.3]}
    calibration = {"temperature": 1.2, "threshold": 0.6}
    figure = draw_calibration({"as_given": bins, "calibrated": bins}, risk, calibration)
    require_room(figure)
    for axes in figure.axes:
        assert axes.get_legend().get_texts()[0].get_window_extent().y0 > axes.get_window_extent().y1


@pytest.mark.parametrize("classes", [2, 5, 12, 20])
def test_counts_are_as_small_as_they_must_be_or_left_out(classes):
    figure = draw_confusion([[1234] * classes] * classes, [f"c{number}" for number in range(classes)])
    require_room(figure)
    shown = {text.get_text().split("\n")[0] for text in figure.axes[0].texts}
    assert shown == ({""} if classes > 8 else {"1,234"})


def test_letters_shrink_to_their_room_and_no_further():
    assert fit_points(["12", "34"], 3.0) == 9.5
    assert 6 <= fit_points(["1,234"] * 8, 3.5) < 9.5
    assert fit_points(["1,234"] * 20, 3.5) is None


def test_numbers_of_a_crowded_front_are_left_out_where_they_would_hide_others():
    rng = np.random.default_rng(0)
    trials = pd.DataFrame({"trial": range(1, 61), "state": "finished", "best": True, "error": 0.1})
    trials = trials.assign(validation_loss=rng.random(60), grey=rng.random(60))
    figure = draw_history(trials, ["validation_loss", "grey"])
    figure.draw_without_rendering()
    numbers = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 20 < len(numbers) < 60
    assert not list_overlaps(numbers)
    few = draw_history(trials.head(3), ["validation_loss", "grey"]).axes[0].texts
    assert sorted(text.get_text() for text in few) == ["1", "2", "3"]
