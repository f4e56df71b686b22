"""Draw accuracy on changed fields."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.canvas import (
    SMALL,
    as_numbers,
    draw_cells,
    make_figure,
    measure_row,
    name_cells,
    open_frame,
    wrap_names,
)

_UNCHANGED = "none"
_ROW = 0.19  # inches
# The number of stronger levels of the same change, the name of this level and its colour.
_STRENGTHS = ((2, "weak", colours.SKY), (1, "middle", colours.BLUE), (0, "strong", colours.BLACK))


def draw_robustness(table: pd.DataFrame, title: str = "") -> Figure:
    """Draw a mark with its interval for each change and strength.

    Args:
        table: One row per change and strength, from weak to strong, and one without change.
        title: Title of the figure.
    """
    unchanged = float(table.loc[table["perturbation"] == _UNCHANGED, "accuracy"].iloc[0])
    changed = _select_changed(table)
    figure = make_figure(_ROW * len(changed) + 1.2, title)
    axes: Axes = figure.subplots()
    _shade_changes(axes, changed["perturbation"])
    _draw_strengths(axes, changed)
    axes.axvline(unchanged, color=colours.VERMILION, lw=1, label=f"unchanged: {unchanged:.3f}")
    names = [f"{row.perturbation} {row.level:g}" for row in changed.itertuples()]
    axes.set_yticks(range(len(changed)), names, fontsize=SMALL)
    axes.set(xlabel="accuracy, with its interval", xlim=(0, 1.02), ylim=(len(changed) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    open_frame(axes)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=SMALL, columnspacing=1)
    return figure


def _select_changed(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["perturbation"] != _UNCHANGED].reset_index(drop=True)


def _draw_strengths(axes: Axes, changed: pd.DataFrame) -> None:
    left = changed.groupby("perturbation", sort=False).cumcount(ascending=False).clip(upper=2)
    for stronger, name, colour in _STRENGTHS:
        rows = changed[left == stronger]
        if len(rows):
            axes.hlines(rows.index, as_numbers(rows["low"]), as_numbers(rows["high"]), color=colour, lw=1)
            axes.plot(as_numbers(rows["accuracy"]), rows.index, "o", color=colour, ms=5, label=name)


def _shade_changes(axes: Axes, changes: pd.Series) -> None:
    """Shade every other change, to show which strengths belong together."""
    for name in changes.unique()[::2]:
        places = changes.index[changes == name]
        axes.axhspan(places[0] - 0.5, places[-1] + 0.5, color="#f0f0f0", lw=0, zorder=0)


def tabulate_strongest(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tabulate every model's accuracy under the strongest level of each change: models in rows, changes in columns.

    Args:
        tables: For each model, by its title, the table of ``draw_robustness``.
    """
    strongest = {}
    for title, table in tables.items():
        strongest[title] = _select_changed(table).groupby("perturbation", sort=False)["accuracy"].last()
    changes = pd.concat(list(strongest.values())).index.unique()
    return pd.DataFrame(strongest).T.reindex(columns=changes).astype(float)


def draw_strongest(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw every model's accuracy under the strongest level of each change.

    Args:
        tables: For each model, by its title, the table of ``draw_robustness``.
    """
    accuracies = tabulate_strongest(tables)
    values = accuracies.to_numpy()
    words = [["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in values]
    titles = list(accuracies.index)
    figure = make_figure(measure_row(wrap_names(titles), 0.34) * len(values) + 1.3)
    axes: Axes = figure.subplots()
    draw_cells(axes, values, words)
    name_cells(axes, titles, list(accuracies.columns))
    return figure
