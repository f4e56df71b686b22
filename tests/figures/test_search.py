"""Figures of a search: they show what was found."""

import numpy as np
import pandas as pd
import pytest

from leukoscope.figures.search import draw_history, draw_importance

LOSSES = [0.9, 0.5, 0.7, 0.4]


def make_trials(states=("finished",) * 4, **figures) -> pd.DataFrame:
    numbers = range(1, len(states) + 1)
    table = pd.DataFrame({"trial": numbers, "state": states, "best": False} | figures)
    return table.mask(table["state"] != "finished", table.assign(**dict.fromkeys(figures, np.nan)))


def list_words(figure) -> str:
    parts = [word.get_text() for axes in figure.axes for word in axes.get_xticklabels() + axes.get_yticklabels()]
    labels = [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    words = [*parts, *labels, *legends, *(text.get_text() for text in figure.texts)]
    return " ".join(" ".join(words).split())


def list_lines(figure) -> dict[str, list[tuple[float, float]]]:
    return {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in figure.axes[0].get_lines()}


@pytest.mark.parametrize(
    ("objective", "best"), [("validation_loss", [0.9, 0.5, 0.5, 0.4]), ("validation_accuracy", [0.9, 0.9, 0.9, 0.9])]
)
def test_the_history_has_each_trial_and_the_best_so_far(objective, best):
    lines = list_lines(draw_history(make_trials(**{objective: LOSSES}), [objective]))
    assert lines["a trial"] == list(zip([1, 2, 3, 4], LOSSES, strict=True))
    assert [value for _, value in lines["best so far"]] == best


def test_trials_that_have_no_figure_are_marked_at_the_edge():
    trials = make_trials(("finished", "failed", "pruned", "finished"), validation_loss=LOSSES)
    figure = draw_history(trials, ["validation_loss"])
    lines = list_lines(figure)
    assert lines["a trial"] == [(1, 0.9), (4, 0.4)]
    assert ([place for place, _ in lines["failed"]], [place for place, _ in lines["pruned"]]) == ([2], [3])
    assert "failed" in list_words(figure)


def test_a_parameter_is_named_whole_beside_its_share():
    shares = {"augmentation.stain": 0.1, "training.learning_rate": 0.9}
    figure = draw_importance(shares, "validation_loss")
    names = [word.get_text().replace("\n", "") for word in figure.axes[0].get_yticklabels()]
    assert names == ["training.learning_rate", "augmentation.stain"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.9, 0.1]
    assert "share of the variance of cross-entropy of validation images" in list_words(figure)


def test_two_objectives_have_a_front_with_numbers():
    trials = make_trials(validation_loss=LOSSES, milliseconds=[1.0, 2, 3, 4]).assign(best=[True, True, False, True])
    figure = draw_history(trials, ["validation_loss", "milliseconds"])
    assert "Cross-entropy of validation images" in list_words(figure)
    assert "Milliseconds of prediction an image" in list_words(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2", "4"]
    assert len(list_lines(figure)["a trial"]) == 4


def test_three_objectives_have_a_panel_for_each_two():
    trials = make_trials(validation_loss=LOSSES, milliseconds=[1.0, 2, 3, 4], grey=LOSSES).assign(best=True)
    assert len(draw_history(trials, ["validation_loss", "milliseconds", "grey"]).axes) == 3


def test_of_too_few_trials_it_is_said_that_nothing_can_be_told():
    assert "Too few trials" in list_words(draw_importance({}, "grey"))
    none = make_trials(("failed",), grey=[0.5])
    assert "No trial has finished" in list_words(draw_history(none, ["grey"]))
    assert "No trial has finished" in list_words(draw_history(none, ["grey", "milliseconds"]))
