"""Parameters of promotion, and of serving what was promoted."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from leukoscope.core.options import Options

Metric = Literal["accuracy", "balanced_accuracy", "macro_f1", "matthews_correlation", "cohen_kappa", "auc"]


class PromotionOptions(Options):
    """By what rule a reader replaces the champion."""

    metric: Metric = "macro_f1"
    min_gain: float = Field(default=0.0, ge=0)
    significant: bool = True
    min_images: PositiveInt = 30
    over_other_experiments: bool = False


class ServingOptions(Options):
    """What a request to a served reader must keep to."""

    max_images: PositiveInt = 64
    max_bytes: PositiveInt = 20_000_000
    max_pixels: PositiveInt = 25_000_000
    max_request_pixels: PositiveInt = 100_000_000
    max_request_bytes: PositiveInt = 100_000_000
    max_seconds: PositiveFloat = 50.0
