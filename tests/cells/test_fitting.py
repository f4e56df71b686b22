import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leukoscope.cells.fitting import require_fitting
from leukoscope.cells.masks import encode_mask
from leukoscope.core.errors import InputError

SMEARS = SimpleNamespace(pixels=np.zeros((4, 8, 8, 3), np.uint8), records=pd.DataFrame({"image_id": list("abcd")}))


def check(cells: str = "aabc", field: int = 8, wanted: str = "abc", side: int = 8) -> None:
    table = pd.DataFrame({"image_id": list(cells), "mask": encode_mask(np.eye(side, dtype=bool))})
    require_fitting(table, {"field": field}, SMEARS, list(wanted))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"field": 9}, r"in fields of 9 pixels a side, and the packed images have 8\. Run the pipeline cells"),
        ({"cells": "axy"}, r"of other images: 2 of their fields are not packed, such as x\. Run the pipeline cells"),
        ({"side": 9}, "masks of the cells are not of the 8 pixels a side"),
        ({"wanted": "abz"}, "1 of 3 fields whose cells are needed are not packed, such as z"),
        ({"cells": ""}, "No field whose cells are needed has a cell, of 3"),
        ({"wanted": "d"}, "No field whose cells are needed has a cell, of 1"),
    ],
)
def test_cells_that_do_not_fit_are_refused_in_one_line(values, message):
    with pytest.raises(InputError, match=message) as caught:
        check(**values)
    assert "\n" not in str(caught.value)


def test_where_no_cells_are_needed_none_is_missed():
    check(cells="", wanted="")


def test_fields_without_a_cell_are_told(caplog):
    caplog.set_level(logging.WARNING)
    check()
    assert not caplog.messages
    check(wanted="abcd")
    assert caplog.messages == ["Fields without a cell: 1 of 4 (25.0 %)"]
