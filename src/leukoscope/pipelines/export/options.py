"""Parameters of export."""

from pydantic import Field, PositiveFloat, PositiveInt

from leukoscope.core.options import Options


class PrecisionLimits(Options):
    """By how much a probability may differ from Keras', by the precision of what was exported."""

    float32: float = Field(default=1e-3, ge=0)
    float16: float = Field(default=0.02, ge=0)
    int8: float = Field(default=0.2, ge=0)


class ExportOptions(Options):
    """How exported files are made and checked.

    Attributes:
        examples: Training images from which the ranges of int8 are learned.
        batch_size: Images at a time.
        timed_images: Speed is measured on so many.
        max_points_lost: So many hundredths of accuracy may be lost.
        max_difference: By how much a probability may differ.
        max_mib: The largest that a file may be; ``None``: of any size.
        max_ms: The longest that an image may take, in milliseconds, in such batches; ``None``: any time.
    """

    examples: PositiveInt = 200
    batch_size: PositiveInt = 16
    timed_images: PositiveInt = 128
    max_points_lost: float = Field(default=0.5, ge=0)
    max_difference: PrecisionLimits = PrecisionLimits()
    max_mib: PositiveFloat | None = None
    max_ms: PositiveFloat | None = None
