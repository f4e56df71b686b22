"""Parameters of promotion, and of serving promoted readers."""

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from leukoscope.core.options import Options
from leukoscope.evaluation.metrics import list_promoting


class PromotionOptions(Options):
    """The rule by which a reader replaces the champion."""

    metric: str = "macro_f1"
    min_gain: float = Field(default=0.0, ge=0)
    significant: bool = True
    min_images: PositiveInt = 30
    over_other_experiments: bool = False

    @field_validator("metric")
    @classmethod
    def _require_promoting(cls, name: str) -> str:
        if name not in list_promoting():
            raise ValueError(f"'{name}' cannot decide a promotion; expected one of {', '.join(list_promoting())}")
        return name


class ServingOptions(Options):
    """The limits on requests to a served reader."""

    max_images: PositiveInt = 64
    max_bytes: PositiveInt = 20_000_000
    max_pixels: PositiveInt = 25_000_000
    max_request_pixels: PositiveInt = 100_000_000
    max_request_bytes: PositiveInt = 100_000_000
    max_seconds: PositiveFloat = 50.0
    max_tiles: PositiveInt = 400
