"""Parameters of export."""

from pydantic import Field, PositiveFloat, PositiveInt

from leukoscope.core.options import Options


class PrecisionLimits(Options):
    """Largest accepted difference of a probability from Keras, for each export precision."""

    float32: float = Field(default=1e-3, ge=0)
    float16: float = Field(default=0.02, ge=0)
    int8: float = Field(default=0.2, ge=0)


class ExportOptions(Options):
    """How exported files are made and checked.

    Attributes:
        examples: Number of training images from which the int8 ranges are learned.
        batch_size: Number of images per batch.
        timed_images: Number of images on which speed is measured.
        max_points_lost: Largest accepted loss of accuracy, in percentage points.
        max_difference: Largest accepted difference of a probability from Keras.
        max_mib: Largest accepted file size in MiB; ``None`` for no limit.
        max_ms: Longest accepted time per image, in milliseconds, in such batches; ``None`` for no limit.
    """

    examples: PositiveInt = 200
    batch_size: PositiveInt = 16
    timed_images: PositiveInt = 128
    max_points_lost: float = Field(default=0.5, ge=0)
    max_difference: PrecisionLimits = PrecisionLimits()
    max_mib: PositiveFloat | None = None
    max_ms: PositiveFloat | None = None
