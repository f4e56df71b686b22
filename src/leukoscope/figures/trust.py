"""Draw how far a classifier's probabilities can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, make_figure, open_frame

_ROUNDING = 1e-6  # traced confidences are rounded


def draw_calibration(
    reliability: Mapping[str, Mapping[str, Sequence[float]]],
    risk: Mapping[str, Sequence[float]],
    calibration: Mapping[str, Any],
    title: str = "",
) -> Figure:
    """Draw the reliability diagram before and after calibration, and the risk-coverage curve.

    Args:
        reliability: For the probabilities ``as_given`` and ``calibrated``: ``confidence``, ``right`` and ``images`` of
            each non-empty bin.
        risk: ``coverage``, ``risk`` and ``confidence``, most confident opinions first.
        calibration: ``temperature`` and ``threshold``, learned from other images.
        title: Title of the figure.
    """
    figure = make_figure(7.0, title)
    above, below = figure.subplots(2, 1, height_ratios=[5, 4])
    _draw_reliability(above, reliability, calibration["temperature"])
    _draw_risk(below, risk, calibration["threshold"])
    return figure


def _draw_reliability(axes: Axes, reliability: Mapping[str, Mapping[str, Sequence[float]]], temperature: float) -> None:
    axes.plot([0, 1], [0, 1], ls=":", color="grey", lw=1)
    labels = {"as_given": "as given", "calibrated": f"calibrated, temperature {temperature:.2f}"}
    for name, colour in (("as_given", colours.SKY), ("calibrated", colours.BLUE)):
        bins = reliability[name]
        images = np.array(bins["images"], float)
        sizes = 8 + 150 * images / max(images.sum(), 1)
        axes.plot(bins["confidence"], bins["right"], "-", color=colour, lw=1, label=labels[name])
        axes.scatter(bins["confidence"], bins["right"], sizes, color=colour, clip_on=False, zorder=3)
    axes.set(xlabel="confidence (larger dots: more images)", ylabel="share that is right", xlim=(0, 1.02))
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    open_frame(axes)
    _put_legend(axes)


def _draw_risk(axes: Axes, risk: Mapping[str, Sequence[float]], threshold: float) -> None:
    coverage = np.array(risk["coverage"])
    wrong = np.array(risk["risk"])
    # The step up to each coverage is the risk at that coverage: the area below is the AURC.
    axes.step(np.append(0, coverage), np.append(wrong[:1], wrong), where="pre", color=colours.BLUE)
    is_given = np.array(risk["confidence"]) >= threshold - _ROUNDING
    kept = coverage[is_given].max(initial=0.0)
    words = f"opinions at {threshold:.2f} or surer" if threshold <= 1 else "no opinion is sure enough"
    axes.axvline(kept, color=colours.VERMILION, lw=1, label=words)
    axes.set(xlabel="share of images with an opinion", ylabel="share of these that is wrong", xlim=(0, 1.02))
    axes.set_ylim(0, max(0.05, 1.2 * wrong.max(initial=0.0)))
    axes.grid(alpha=0.3)
    open_frame(axes)
    _put_legend(axes)


def _put_legend(axes: Axes) -> None:
    """Put a legend above its plot, where no line crosses it."""
    axes.legend(fontsize=SMALL, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderpad=0.2)
