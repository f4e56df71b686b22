"""Check whether a table of cells matches the current packed images."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from leukoscope.cells.masks import decode_mask
from leukoscope.core.errors import InputError
from leukoscope.images.packed import PackedImages

logger = logging.getLogger(__name__)

_MEND = "Run the pipeline cells on the packed images at hand."


def require_fitting(
    cells: pd.DataFrame, cell_size: Mapping[str, Any], smears: PackedImages, image_ids: Collection[str]
) -> None:
    """Check that cells were found in the current packed images, and that some belong to the required fields.

    Args:
        cells: ``image_id`` and ``mask`` of each cell.
        cell_size: ``field``, the side in pixels of the packed images in which they were found.
        smears: The packed images.
        image_ids: The fields whose cells are required; if some have none, a warning says how many.

    Raises:
        InputError: They were found at another size or in other images, the fields are not packed, or none has a cell.
    """
    side = int(smears.pixels.shape[1])
    if cell_size["field"] != side:
        raise InputError(
            f"The cells were found in fields of {cell_size['field']} pixels a side, and the packed images have {side}. "
            f"{_MEND}"
        )
    if strange := sorted(set(cells["image_id"]) - set(smears.records["image_id"])):
        count = len(strange)
        first = strange[0]
        raise InputError(
            f"The cells are of other images: {count} of their fields are not packed, such as {first}. {_MEND}"
        )
    for mask in cells["mask"].iloc[:1]:
        _require_side(mask, side)
    wanted = set(image_ids)
    require_packed(smears, wanted)
    without = len(wanted - set(cells["image_id"]))
    if wanted and without == len(wanted):
        raise InputError(
            f"No field whose cells are needed has a cell, of {len(wanted)}. {_MEND} If it finds none, "
            f"see 08_reporting/cells.png, and set cells.diameter or cells.detector."
        )
    if without:
        logger.warning("Fields without a cell: %d of %d (%.1f %%)", without, len(wanted), 100 * without / len(wanted))


def require_packed(smears: PackedImages, image_ids: Collection[str]) -> None:
    """Check that the fields whose cells are required are packed.

    Raises:
        InputError: Some are not.
    """
    if missing := sorted(set(image_ids) - set(smears.records["image_id"])):
        raise InputError(
            f"{len(missing)} of {len(image_ids)} fields whose cells are needed are not packed, such as {missing[0]}. "
            f"Run the pipelines ingestion, cells and splitting on the same images."
        )


def _require_side(mask: str, side: int) -> None:
    try:
        decode_mask(mask, side, side)
    except ValueError as error:
        raise InputError(
            f"The masks of the cells are not of the {side} pixels a side that the packed images have. {_MEND}"
        ) from error
