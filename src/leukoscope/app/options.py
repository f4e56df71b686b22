"""Parameters of the review page."""

from pydantic import Field, NonNegativeInt, PositiveInt

from leukoscope.core.options import Options


class AppOptions(Options):
    """Limits and appearance of a session."""

    max_images: PositiveInt = 50
    max_bytes: PositiveInt = 20_000_000
    max_full_bytes: NonNegativeInt = 500_000_000
    picture_side: int = Field(default=768, ge=64, le=4096)
    opacity: float = Field(default=0.5, ge=0, le=1)
    blind_first: bool = False
    washout_days: float = Field(default=14, gt=0, allow_inf_nan=False)
    log_opinions: bool = False
