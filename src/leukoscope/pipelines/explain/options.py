"""Parameters of explanation."""

from pydantic import Field, PositiveInt, model_validator

from leukoscope.core.options import Options


class ExplanationOptions(Options):
    """How many images are explained, and how."""

    images: PositiveInt = 24
    patch: float = Field(default=0.2, gt=0, le=1)
    stride: float = Field(default=0.1, gt=0, le=1)
    neighbours: PositiveInt = 3
    cells: PositiveInt = 8

    @model_validator(mode="after")
    def _check_stride(self) -> "ExplanationOptions":
        if not 0.02 <= self.stride <= self.patch:
            raise ValueError(
                f"explanation.stride is {self.stride:g} and patch {self.patch:g}: the stride must be 0.02 or more, and "
                f"no more than a patch, or parts of the field would never be hidden"
            )
        return self
