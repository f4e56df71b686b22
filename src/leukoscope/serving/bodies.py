"""Parse the JSON body of a request, and the images in it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic_core import from_json

from leukoscope.core.errors import InputError
from leukoscope.serving.requests import COLUMN

EXPECTED_BODY = f'Expected {{"inputs": [{{"{COLUMN}": "<a file in base64>"}}, ...]}}.'


# What a request may ask for besides predictions.
CELLS = "cells"


class Asked(NamedTuple):
    """What a request asks for.

    Attributes:
        images: The values of the column ``image``, not yet checked.
        cells: Whether the cells of each image are requested as well.
    """

    images: list[Any]
    cells: bool


def read_request(body: bytes) -> Asked:
    """Read a request, in the forms of MLflow's scoring protocol.

    MLflow's own parser is not used: it fails on deep nesting and on long numbers, builds a table of every column, and
    repeats the whole request in its messages.

    Args:
        body: JSON: a dictionary with ``inputs``, ``instances``, ``dataframe_records`` or ``dataframe_split``, and
            optionally ``params``.

    Raises:
        InputError: The body is not valid JSON, or has another form.
    """
    try:
        request = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InputError(f"The request's body is not valid JSON: {error}. {EXPECTED_BODY}") from error
    forms = _FORMS.keys() & request.keys() if isinstance(request, dict) else set()
    if len(forms) != 1:
        raise InputError(
            f"The request must be a JSON dictionary with exactly one of the input fields {', '.join(_FORMS)}. "
            f"{EXPECTED_BODY}"
        )
    form = forms.pop()
    return Asked(_FORMS[form](request[form], form), read_cells_wanted(request.get("params")))


def read_cells_wanted(params: Any) -> bool:
    """Check whether the parameters of a request ask for cells.

    Raises:
        InputError: The parameters are not a dictionary, have a value other than true or false, or an unknown name.
    """
    if params is None:
        return False
    wanted = params.get(CELLS, False) if isinstance(params, dict) else None
    if not isinstance(wanted, bool) or params.keys() - {CELLS}:
        raise InputError(f"`params` must be a dictionary with nothing but `{CELLS}` in it, which is true or false.")
    return wanted


def _from_rows(rows: Any, form: str) -> list[Any]:
    if not isinstance(rows, list):
        raise InputError(f"`{form}` must be a list of rows. {EXPECTED_BODY}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InputError(f"Row {number} of `{form}` is not a dictionary. {EXPECTED_BODY}")
        if COLUMN not in row:
            raise InputError(f"Row {number} of `{form}` has no column `{COLUMN}`. {EXPECTED_BODY}")
    return [row[COLUMN] for row in rows]


def _from_rows_or_columns(content: Any, form: str) -> list[Any]:
    if not isinstance(content, dict):
        return _from_rows(content, form)
    images = content.get(COLUMN)
    if isinstance(images, str):
        return [images]
    if not isinstance(images, list):
        raise InputError(f"`{form}` has no list of images in the column `{COLUMN}`. {EXPECTED_BODY}")
    return images


def _from_split(table: Any, form: str) -> list[Any]:
    columns, rows = (table.get(name) if isinstance(table, dict) else None for name in ("columns", "data"))
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise InputError(f"`{form}` must be a dictionary with the lists `columns` and `data`. {EXPECTED_BODY}")
    if columns.count(COLUMN) != 1:
        raise InputError(f"`{form}` has {columns.count(COLUMN)} columns `{COLUMN}`, and one is needed. {EXPECTED_BODY}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise InputError(f"Row {number} of `{form}` does not have a value for each of its {len(columns)} columns.")
    place = columns.index(COLUMN)
    return [row[place] for row in rows]


_FORMS: dict[str, Callable[[Any, str], list[Any]]] = {
    "inputs": _from_rows_or_columns,
    "instances": _from_rows_or_columns,
    "dataframe_records": _from_rows,
    "dataframe_split": _from_split,
}
