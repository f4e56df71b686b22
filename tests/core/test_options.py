"""What all typed parameters have in common."""

from typing import Annotated

import pytest
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError

from leukoscope.core.options import Options, describe_faults, differences


class Sample(Options):
    """One field of each sort."""

    number: PositiveInt | None = None
    share: Annotated[float, "a share"] = 0.5
    either: bool | float = False
    rates: dict[str, PositiveFloat] = Field(default={})
    sizes: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"number": True}, "x: number is True: expected a number"),
        ({"share": False}, "x: share is False: expected a number"),
        ({"rates": True}, "x.rates is True: expected a table, like {name: value}"),
        ({"sizes": True}, "x.sizes is True: expected a list, like [a, b]"),
    ],
)
@pytest.mark.parametrize("model", [Sample, differences(Sample)])
def test_neither_true_nor_false_is_a_number(model, values, fault):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    assert describe_faults(caught.value, "x") == fault


def test_where_both_may_stand_both_are_taken():
    assert Sample(either=True).either is True
