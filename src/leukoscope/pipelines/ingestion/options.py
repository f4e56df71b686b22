"""Parameters of ingestion."""

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from leukoscope.core.options import Options
from leukoscope.images.layout import FOLDERS, require_layout


class IngestionOptions(Options):
    """How raw images become samples."""

    layout: str = Field(FOLDERS, description="How labels are read off names, as in docs/external.md; auto: find out")
    image_size: int = Field(224, ge=16, description="Side of the packed images in pixels")
    min_side: PositiveInt = Field(32, description="Shortest side in pixels that a smear may have")
    max_pixels: PositiveInt = Field(50_000_000, description="Most pixels, width times height, that are decoded")
    max_bytes: PositiveInt = Field(100_000_000, description="Size of the largest file that is read")
    workers: PositiveInt | None = Field(None, description="Threads that decode; null: one a core")
    near_duplicate_distance: int | None = Field(
        40,
        ge=0,
        le=127,
        description="Bits, of 256, in which hashes of images that look alike may differ; null: identical only",
    )
    expected_counts: dict[str, NonNegativeInt] | None = Field(
        None, description="Files that each class should have, by class name; null: as published, or unknown"
    )

    @field_validator("layout")
    @classmethod
    def _check_layout(cls, name: str) -> str:
        return require_layout(name)
