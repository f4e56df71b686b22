"""Parameters of evaluation."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from leukoscope.core.class_names import join_benign, split_names
from leukoscope.core.options import Options

if TYPE_CHECKING:
    from leukoscope.evaluation.trust import Targets


class EvaluationOptions(Options):
    """How models predict, are scored and are shown."""

    batch_size: PositiveInt = 64
    benign_class: Annotated[tuple[str, ...], BeforeValidator(split_names)] = ("Benign",)
    worst_errors: NonNegativeInt = 12
    prevalence: float = Field(default=0.1, gt=0, lt=1)
    target_error: float = Field(default=0.02, gt=0, lt=1)
    unproven_opinions: bool = False
    screening_sensitivity: float = Field(default=0.98, gt=0, le=1)
    false_alarms: float = Field(default=0.05, gt=0, lt=1)
    set_confidence: float = Field(default=0.95, gt=0, lt=1)
    resamples: PositiveInt = 2000
    confidence: float = Field(default=0.95, gt=0, lt=1)
    certificate: bool = False

    def targets(self) -> "Targets":
        """Return the targets that opinions must meet."""
        from leukoscope.evaluation.trust import Targets

        return Targets(
            self.target_error,
            self.confidence,
            self.false_alarms,
            self.screening_sensitivity,
            self.set_confidence,
            self.unproven_opinions,
        )

    def as_display(self) -> dict[str, Any]:
        """Return what a report states about how the metrics were computed."""
        shown = self.model_dump(include={"prevalence", "confidence", "screening_sensitivity"})
        return shown | {"benign_class": join_benign(self.benign_class)}
