"""Figures of a hyperparameter search: its trials in order, or their Pareto front, and parameter importance."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, make_figure, measure_row, open_frame, wrap_names, write_values
from leukoscope.figures.curves import scale_losses
from leukoscope.study.found import FAILED, FINISHED, PRUNED
from leukoscope.study.objectives import OBJECTIVES

_LETTERS = 30  # per line of an axis title
_PANEL = (270.0, 150.0)  # approximate size in points of a plot of two metrics
_LOSS = "validation_loss"
# Marks at the lower edge for trials without a value.
_WITHOUT = {PRUNED: ("|", colours.GREY), FAILED: ("x", colours.VERMILION)}


def draw_history(trials: pd.DataFrame, objectives: Sequence[str]) -> Figure:
    """Draw each trial's value and the best so far, or, with several objectives, the Pareto front.

    Args:
        trials: One row per trial.
        objectives: Names of the objectives.
    """
    finished = trials[trials["state"] == FINISHED]
    if finished.empty:
        return _say_nothing("No trial has finished")
    if len(objectives) > 1:
        return _draw_front(finished, objectives)
    (name,) = objectives
    figure = make_figure(3.2)
    axes: Axes = figure.subplots()
    axes.plot(finished["trial"], finished[name], "o", color=colours.ORANGE, ms=4.5, label="a trial")
    so_far = finished[name].cummin() if OBJECTIVES[name].direction == "minimize" else finished[name].cummax()
    axes.step(finished["trial"], so_far, where="post", color=colours.BLUE, lw=2, label="best so far")
    for state, (mark, colour) in _WITHOUT.items():
        numbers = trials.loc[trials["state"] == state, "trial"]
        if len(numbers):
            edge = axes.get_xaxis_transform()
            axes.plot(numbers, np.full(len(numbers), 0.02), mark, color=colour, ms=7, transform=edge, label=state)
    axes.set_xlabel("trial")
    axes.set_ylabel(_title(name))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if name == _LOSS and (finished[name] > 0).all():
        scale_losses(axes)
    _finish(figure, axes)
    return figure


def _draw_front(finished: pd.DataFrame, objectives: Sequence[str]) -> Figure:
    """Draw trials by each pair of objectives; those on the front are filled and numbered."""
    pairs = list(combinations(objectives, 2))
    figure = make_figure(3.2 * len(pairs))
    panels = figure.subplots(len(pairs), 1, squeeze=False)[:, 0]
    front = finished[finished["best"].astype(bool)]
    for axes, (across, up) in zip(panels, pairs, strict=True):
        axes.plot(finished[across], finished[up], "o", color=colours.BLUE, mfc="white", ms=5, label="a trial")
        axes.plot(front[across], front[up], "o", color=colours.VERMILION, ms=6, label="of the front, with its number")
        axes.set_xlabel(_title(across))
        axes.set_ylabel(_title(up))
        axes.margins(0.12)
        _number_front(axes, front, finished[[across, up]].to_numpy())
    _finish(figure, *panels)
    return figure


def _number_front(axes: Axes, front: pd.DataFrame, marks: np.ndarray) -> None:
    """Write the number of each trial on the front next to its mark, where it overlaps no other number or mark."""
    low, high = (np.array([axes.get_xlim(), axes.get_ylim()])[:, end] for end in (0, 1))
    scale = np.array(_PANEL) / (high - low)
    taken = [np.concatenate([place - 3, place + 3]) for place in (marks - low) * scale]
    across, up = axes.lines[-1].get_data()
    for trial, place in zip(front["trial"], (np.column_stack([across, up]).astype(float) - low) * scale, strict=True):
        size = np.array([6.5 * len(str(trial)), 9.0])
        for offset in ((4, 4), (4, -12), (-4 - size[0], 4), (-4 - size[0], -12)):
            box = np.concatenate([place + offset, place + offset + size])
            if not any((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all() for other in taken):
                axes.annotate(str(trial), place / scale + low, offset, textcoords="offset points", fontsize=SMALL)
                taken.append(box)
                break


def _finish(figure: Figure, *panels: Axes) -> None:
    for axes in panels:
        axes.grid(alpha=0.3)
        open_frame(axes)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL)


def draw_importance(shares: Mapping[str, float], objective: str) -> Figure:
    """Draw how much of an objective's variance each parameter explains.

    Args:
        shares: Share of the variance of each parameter, by functional ANOVA; empty with too few trials.
        objective: The first objective of the search.
    """
    if not shares:
        return _say_nothing("Too few trials have finished to tell\nwhich parameters matter")
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
    names = wrap_names(name.replace(".", ". ").replace("_", "_ ") for name in ordered)
    figure = make_figure(measure_row(names, 0.42) * len(names) + 0.7)
    axes: Axes = figure.subplots()
    heights = np.arange(len(names))
    axes.barh(heights, list(ordered.values()), 0.6, color=colours.BLUE)
    write_values(axes, heights, ordered.values(), ".2f")
    axes.set_yticks(heights, [name.replace(". ", ".").replace("_ ", "_") for name in names], fontsize=SMALL)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    title = _title(objective)
    axes.set_xlabel(f"share of the variance of\n{title[0].lower()}{title[1:]}", fontsize=SMALL)
    open_frame(axes)
    return figure


def _title(objective: str) -> str:
    return "\n".join(textwrap.wrap(OBJECTIVES[objective].title, _LETTERS))


def _say_nothing(words: str) -> Figure:
    figure = make_figure(2.0)
    figure.text(0.5, 0.5, words, ha="center", va="center")
    return figure
