"""Parameters of monitoring."""

from typing import Literal

from pydantic import Field, PositiveInt

from leukoscope.core.options import Options


class MonitoringOptions(Options):
    """What is logged and for how long, and when to raise an alarm."""

    log_predictions: bool = True
    keep_days: PositiveInt | None = Field(default=365, le=100_000)
    window: Literal["day", "week", "month"] = "week"
    group_by: Literal["request", "image"] = "request"
    min_images: int = Field(default=30, ge=10)
    false_alarm: float = Field(default=0.05, ge=0.001, le=0.5)
    judge_unfinished: bool = False
    fail_on_alarm: bool = False
