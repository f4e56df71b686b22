"""Parameters of the cells pipeline."""

from typing import Literal

from pydantic import Field, PositiveInt

from leukoscope.core.options import Options


class CellOptions(Options):
    """How leukocytes are found and cropped."""

    detector: str = Field("classical", description="What finds them: classical, or module:function")
    diameter: float | None = Field(
        None, ge=2, description="Of a typical leukocyte in pixels of the packed images; null: estimated from them"
    )
    background: Literal["neutral", "kept"] = Field("neutral", description="What is around the cell in its crop")
    crop: PositiveInt | None = Field(None, description="Side of the crops in pixels; null: 2.3 diameters")
