"""Nodes of the cells pipeline."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukoscope.cells.crops import CellCrops, choose_side
from leukoscope.cells.fitting import require_fitting
from leukoscope.core.cache import ContentCache
from leukoscope.core.counts import count_of
from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.cells.options import CellOptions

logger = logging.getLogger(__name__)


def measure_cell_size(smears: PackedImages, manifest: pd.DataFrame, options: CellOptions) -> dict[str, Any]:
    """Choose the scale at which to look for cells.

    Returns:
        ``diameter`` of a typical leukocyte and ``crop``, the side of the crops, in pixels of the packed images;
        ``field``, the side of these images; ``estimated``, whether the diameter was estimated.

    Raises:
        InputError: The diameter cannot be estimated.
    """
    from leukoscope.cells.finding import estimate_diameter
    from leukoscope.images.grouping import select_accepted

    diameter = options.diameter
    if diameter is None:
        diameter = estimate_diameter(smears.pixels, smears.rows(select_accepted(manifest)["image_id"]))
        logger.info("A typical leukocyte is %g pixels wide (cells.diameter sets another width)", diameter)
    return {
        "diameter": diameter,
        "estimated": options.diameter is None,
        "crop": options.crop or choose_side(diameter),
        "field": int(smears.pixels.shape[1]),
    }


def find_cells(
    smears: PackedImages,
    manifest: pd.DataFrame,
    cell_size: dict[str, Any],
    options: CellOptions,
    known_cells: ContentCache,
) -> pd.DataFrame:
    """Find the leukocytes of every accepted field.

    Returns:
        One row per leukocyte: ``image_id``, ``path`` and ``label`` of its field, and the columns of ``describe_cells``.

    Raises:
        InputError: The detector does not exist, or violates its contract.
    """
    from leukoscope.cells.finding import find_cells as find
    from leukoscope.cells.table import tabulate_cells
    from leukoscope.images.manifest import ACCEPTED

    fields = manifest.loc[manifest["status"] == ACCEPTED, ["image_id", "path", "label"]]
    rows = smears.rows(fields["image_id"])
    cells_of_fields = find(smears.pixels, rows, options.detector, cell_size["diameter"], known_cells)
    cells = tabulate_cells(fields, cells_of_fields)
    logger.info("Found %s in %s", count_of(len(cells), "leukocyte"), count_of(len(fields), "field"))
    return cells


def cut_out_cells(
    smears: PackedImages, cells: pd.DataFrame, cell_size: dict[str, Any], options: CellOptions
) -> CellCrops:
    """Plan the cropping of all cells, which the data set carries out when the plan is saved.

    Raises:
        InputError: The cells come from other images or another image size.
    """
    require_fitting(cells, cell_size, smears, cells["image_id"])
    rows = smears.rows(cells["image_id"])
    return CellCrops(smears.pixels, rows, cells, cell_size["crop"], options.background == "neutral")


def report_cells(cells: pd.DataFrame, manifest: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Count the cells of each class."""
    from leukoscope.cells.table import count_cells
    from leukoscope.images.grouping import select_accepted

    report = count_cells(cells, select_accepted(manifest), class_names)
    for row in report[report["fields_without_cells"] > 0].itertuples():
        logger.warning(
            "%s: no leukocyte was found in %d of %s", row.label, row.fields_without_cells, count_of(row.fields, "field")
        )
    return report


def plot_cells(smears: PackedImages, cells: pd.DataFrame, manifest: pd.DataFrame, class_names: Sequence[str]) -> Figure:
    """Draw cell outlines on some fields of each class."""
    from leukoscope.figures.cells import draw_outlines

    return draw_outlines(smears, cells, manifest, class_names)
