"""The table of cells, one row per cell, and counts from it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukoscope.cells.description import COLUMNS, FORM

OF_FIELD = ("image_id", "path", "label")
_WHOLE = ("cell", "left", "top", "right", "bottom")
_YES_OR_NO = ("touching", "cut")
_NUMBERS = ("column", "row", "focus", *FORM)


def tabulate_cells(fields: pd.DataFrame, cells_of_fields: Sequence[Sequence[dict[str, Any]]]) -> pd.DataFrame:
    """Combine the cells of all fields into one table, in the order of the fields.

    Args:
        fields: ``image_id``, ``path`` and ``label`` of each field.
        cells_of_fields: For each field its cells, as from ``describe_cells``.
    """
    entries = []
    for field, cells in zip(fields[list(OF_FIELD)].to_dict("records"), cells_of_fields, strict=True):
        entries += [field | cell for cell in cells]
    types = dict.fromkeys(_WHOLE, "int32") | dict.fromkeys(_YES_OR_NO, "bool")
    types |= dict.fromkeys(_NUMBERS, "float64")
    return pd.DataFrame(entries, columns=[*OF_FIELD, *COLUMNS]).astype(types)


def count_cells(cells: pd.DataFrame, fields: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Count the cells of each class, and of all.

    Args:
        cells: The table from ``tabulate_cells``.
        fields: ``image_id`` and ``label`` of every field that was searched.
        class_names: The classes in order.

    Returns:
        ``label`` (the last is ``total``), ``fields``, ``fields_without_cells``, ``cells``, ``cells_per_field`` (the
        mean), ``touching`` and ``cut`` (shares of the cells), and the medians of ``cell_area`` and ``nucleus_area`` in
        square pixels, of cells that are not cut.
    """
    return pd.DataFrame([_count(cells, fields, name) for name in [*class_names, None]])


def _count(cells: pd.DataFrame, fields: pd.DataFrame, label: str | None) -> dict[str, Any]:
    if label is not None:
        cells = cells[cells["label"] == label]
        fields = fields[fields["label"] == label]
    whole = cells[~cells["cut"]]
    return {
        "label": "total" if label is None else label,
        "fields": len(fields),
        "fields_without_cells": len(fields) - cells["image_id"].nunique(),
        "cells": len(cells),
        "cells_per_field": len(cells) / len(fields) if len(fields) else float("nan"),
        "touching": cells["touching"].mean(),
        "cut": cells["cut"].mean(),
        "cell_area": whole["cell_area"].median(),
        "nucleus_area": whole["nucleus_area"].median(),
    }
