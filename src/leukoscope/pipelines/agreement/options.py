"""Parameters of agreement."""

from pydantic import Field, PositiveInt

from leukoscope.core.options import Options


class AgreementOptions(Options):
    """How sure figures of agreement are."""

    resamples: PositiveInt = 2000
    confidence: float = Field(default=0.95, gt=0, lt=1)
