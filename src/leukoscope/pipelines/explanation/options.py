"""Parameters of explanation."""

from pydantic import Field, PositiveInt

from leukoscope.options import Options


class ExplanationOptions(Options):
    """How many images are explained, and how."""

    images: PositiveInt = 24
    patch: float = Field(default=0.2, gt=0, le=1)
    stride: float = Field(default=0.1, gt=0, le=1)
    neighbours: PositiveInt = 3
