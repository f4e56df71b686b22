"""Parameters of agreement."""

import reprlib
from typing import Any, Literal

from pydantic import Field, PositiveInt

from leukoscope.core.errors import InputError
from leukoscope.core.options import Options


class AgreementOptions(Options):
    """The intervals of agreement metrics, and which reviews vote for a label."""

    resamples: PositiveInt = 2000
    confidence: float = Field(default=0.95, gt=0, lt=1)
    consensus: Literal["last", "blind"] = "last"


def check_washout(given: Any) -> float:
    """Check the number of days after which reading a field again counts as another round.

    Raises:
        InputError: The value is not a positive, finite number.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < float("inf"):
        raise InputError(
            f"app.washout_days is {reprlib.repr(given)}. Expected the number of days after which a reader has "
            f"forgotten a field, above 0: such as 14."
        )
    return float(given)
