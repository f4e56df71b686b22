"""Parameters of evaluation."""

from typing import Any

from pydantic import Field, NonNegativeInt, PositiveInt

from leukoscope.options import Options


class EvaluationOptions(Options):
    """How predictions are made and shown."""

    batch_size: PositiveInt = 64
    benign_class: str = "Benign"
    worst_errors: NonNegativeInt = 12
    prevalence: float = Field(default=0.1, gt=0, lt=1)
    target_error: float = Field(default=0.02, ge=0, lt=1)
    false_alarms: float = Field(default=0.05, gt=0, lt=1)
    set_confidence: float = Field(default=0.95, gt=0, lt=1)
    resamples: PositiveInt = 500
    confidence: float = Field(default=0.95, gt=0, lt=1)

    def as_display(self) -> dict[str, Any]:
        """Give what a report says of how the figures were made."""
        return self.model_dump(include={"benign_class", "prevalence", "target_error", "set_confidence"})
