"""Figures of the detected cells."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from leukoscope.cells.masks import decode_mask
from leukoscope.figures import colours
from leukoscope.figures.words import as_it_is
from leukoscope.images.manifest import ACCEPTED
from leukoscope.images.packed import PackedImages


def draw_outlines(
    smears: PackedImages, cells: pd.DataFrame, manifest: pd.DataFrame, class_names: Sequence[str], columns: int = 4
) -> Figure:
    """Draw a row of accepted fields per class, evenly spaced over the class, with the outlines of their cells.

    Cells cut by the edge of the field have a dashed outline; nuclei have a thin one.

    Args:
        smears: The packed images.
        cells: The table of cells.
        manifest: The manifest, which tells which fields are accepted.
        class_names: The classes in order.
        columns: Number of fields per class.
    """
    usable = manifest[(manifest["status"] == ACCEPTED) & manifest["duplicate_of"].isna()]
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(2.9 * columns + 0.4, 3.05 * len(class_names)), layout=layout)
    grid = figure.subplots(len(class_names), columns, squeeze=False)
    by_field = dict(tuple(cells.groupby("image_id")))
    for axes_row, name in zip(grid, class_names, strict=True):
        ids = usable.loc[usable["label"] == name, "image_id"]
        shown = ids.iloc[np.unique(np.linspace(0, len(ids) - 1, min(columns, len(ids))).astype(int))]
        for axes, image_id, row in zip(axes_row, shown, smears.rows(shown), strict=False):
            outline_field(axes, smears.pixels[row], by_field.get(image_id, cells[:0]))
            axes.set_title(as_it_is(str(image_id)), fontsize=7)
        for axes in axes_row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(as_it_is(name), fontsize=12)
    return figure


def outline_field(axes: Axes, image: np.ndarray, cells: pd.DataFrame) -> None:
    """Draw a field with the outlines of its cells.

    Args:
        axes: Axes to draw on.
        image: ``uint8 [height, width, 3]``, RGB.
        cells: ``mask``, ``nucleus_mask`` and ``cut`` of each cell.
    """
    height, width = image.shape[:2]
    axes.imshow(image)
    for mask, nucleus, cut in zip(cells["mask"], cells["nucleus_mask"], cells["cut"], strict=True):
        _draw_outline(axes, decode_mask(nucleus, height, width), colours.ORANGE, 0.5, "solid")
        _draw_outline(axes, decode_mask(mask, height, width), "black", 1.0, "dashed" if cut else "solid")


def _draw_outline(axes: Axes, mask: np.ndarray, colour: str, width: float, style: str) -> None:
    if mask.any():
        # Padding closes outlines at the edge of the image.
        places = np.arange(-1, max(mask.shape) + 1)
        padded = np.pad(mask, 1).astype(float)
        axes.contour(
            places[: padded.shape[1]],
            places[: padded.shape[0]],
            padded,
            [0.5],
            colors=[colour],
            linewidths=width,
            linestyles=style,
        )
