"""Draw how far a deployed model's images are from its validation images, window by window."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.evaluation.drift import QUANTITIES
from leukoscope.evaluation.monitoring import JUDGED
from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, make_figure, open_frame

_MOST_NAMES = 8


def draw_monitoring(table: pd.DataFrame, window: str) -> Figure:
    """Draw the distance of each quantity over the windows, with the limit that chance allows.

    Args:
        table: One row per window and quantity, of one model.
        window: ``day``, ``week`` or ``month``.
    """
    figure = make_figure(0.95 * len(QUANTITIES) + 0.9)
    rows = figure.subplots(len(QUANTITIES), 1, sharex=True)
    for axes, (name, quantity) in zip(rows, QUANTITIES.items(), strict=True):
        _draw_quantity(axes, table[table["quantity"] == name])
        axes.set_title(quantity.title, fontsize=SMALL, loc="left")
    names = table.drop_duplicates("window")["window"].tolist()
    shown = np.unique(np.linspace(0, len(names) - 1, min(len(names), _MOST_NAMES)).round().astype(int))
    rows[-1].set_xticks(shown, [names[place] for place in shown], fontsize=SMALL, rotation=40, ha="right")
    rows[-1].set_xlabel(f"{window}, by its first day (UTC)")
    rows[-1].set_xlim(-0.6, len(names) - 0.4)
    handles, labels = _collect_labels(rows)
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)
    return figure


def _draw_quantity(axes: Axes, periods: pd.DataFrame) -> None:
    places = np.arange(len(periods))
    distance = periods["distance"].to_numpy(float)
    limit = periods["limit"].to_numpy(float)
    is_judged = periods["state"].isin(JUDGED).to_numpy()
    is_alarm = periods["alarm"].fillna(False).to_numpy(bool)
    axes.bar(places[is_judged], limit[is_judged], 1, color=colours.GREY, alpha=0.3, label="chance allows")
    axes.plot(places, distance, "-", color=colours.BLUE, lw=1)
    axes.plot(places[is_judged & ~is_alarm], distance[is_judged & ~is_alarm], "o", color=colours.BLUE, ms=4)
    if is_alarm.any():
        axes.plot(places[is_alarm], distance[is_alarm], "D", color=colours.VERMILION, ms=6, label="alarm")
    if not is_judged.all():
        unjudged = places[~is_judged]
        style = {"color": colours.BLACK, "mfc": "white", "ms": 4, "clip_on": False}
        axes.plot(unjudged, np.zeros(len(unjudged)), "o", label="not judged", **style)  # type: ignore[arg-type]
    highest = np.nanmax([distance, limit]) if is_judged.any() else 1.0
    axes.set_ylim(0, 1.15 * max(highest, 0.05))
    axes.tick_params(labelsize=SMALL)
    open_frame(axes)


def _collect_labels(rows: np.ndarray) -> tuple[list, list[str]]:
    named = {label: handle for axes in rows for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(named.values()), list(named)
