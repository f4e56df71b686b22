"""Parameters of export."""

from pydantic import Field, PositiveInt

from leukoscope.core.options import Options


class PrecisionLimits(Options):
    """By how much a probability may differ from Keras', by the precision of what was exported."""

    float32: float = Field(default=1e-3, ge=0)
    float16: float = Field(default=0.02, ge=0)
    int8: float = Field(default=0.2, ge=0)


class ExportOptions(Options):
    """How exported files are made and checked."""

    examples: PositiveInt = 200
    batch_size: PositiveInt = 16
    timed_images: PositiveInt = 128
    max_points_lost: float = Field(default=0.5, ge=0)
    max_difference: PrecisionLimits = PrecisionLimits()
