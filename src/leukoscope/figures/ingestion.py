"""Figures of the ingested images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from leukoscope.figures import colours
from leukoscope.figures.words import as_it_is
from leukoscope.images.manifest import ACCEPTED
from leukoscope.images.packed import PackedImages


def draw_counts(manifest: pd.DataFrame, report: pd.DataFrame) -> Figure:
    """Draw a bar per class: accepted images, their copies and quarantined files, with a mark for the expected count."""
    report = report[report["label"] != "total"].reset_index(drop=True)
    copies = manifest[(manifest["status"] == ACCEPTED) & manifest["duplicate_of"].notna()]["label"].value_counts()
    copied = copies.reindex(report["label"], fill_value=0).to_numpy()
    parts = {
        "accepted": (report["accepted"].to_numpy() - copied, colours.BLUE, None),
        "accepted, copy of another": (copied, colours.SKY, "///"),
        "quarantined": (report["quarantined"].to_numpy(), colours.VERMILION, "xxx"),
    }
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    bottom = np.zeros(len(report))
    labels = [as_it_is(name) for name in report["label"]]
    for name, (heights, colour, hatch) in parts.items():
        axes.bar(labels, heights, 0.6, bottom, label=name, color=colour, hatch=hatch, edgecolor="white")
        bottom += heights
    for position, count in enumerate(report["found"]):
        axes.annotate(f"{count:,}", (position, count), (0, 4), textcoords="offset points", ha="center")
    _mark_expected(axes, report["expected"])
    axes.set(ylabel="Files", title="Samples per class")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def _mark_expected(axes: Axes, expected: pd.Series) -> None:
    known = expected.dropna().astype(int)
    if len(known):
        axes.hlines(known, known.index - 0.38, known.index + 0.38, colors="black", linewidth=2, label="expected")


def draw_montage(smears: PackedImages, manifest: pd.DataFrame, class_names: Sequence[str], columns: int = 6) -> Figure:
    """Draw a row of accepted smears per class, evenly spaced over the class, without copies."""
    usable = manifest[(manifest["status"] == ACCEPTED) & manifest["duplicate_of"].isna()]
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(1.5 * columns + 0.4, 1.53 * len(class_names)), layout=layout)
    grid = figure.subplots(len(class_names), columns, squeeze=False)
    for axes_row, name in zip(grid, class_names, strict=True):
        ids = usable.loc[usable["label"] == name, "image_id"]
        shown = ids.iloc[np.unique(np.linspace(0, len(ids) - 1, min(columns, len(ids))).astype(int))]
        for axes, row in zip(axes_row, smears.rows(shown), strict=False):
            axes.imshow(smears.pixels[row])
        for axes in axes_row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(as_it_is(name), fontsize=12)
    return figure
