"""Parameters of the audit."""

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from leukoscope.core.options import Options


class AuditOptions(Options):
    """How strictly the audit judges, and when it raises a warning or an alarm."""

    folds: int = Field(default=5, ge=2)
    repeats: PositiveInt = 5
    embargoes: tuple[NonNegativeInt, ...] = (0, 37, 150)
    trees: PositiveInt = 100
    confidence: float = Field(default=0.95, gt=0, lt=1)
    warning: float = Field(default=0.2, gt=0, lt=1)
    alarm: float = Field(default=0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _check_order(self) -> "AuditOptions":
        if self.warning > self.alarm:
            raise ValueError(f"warning is {self.warning:g} and alarm {self.alarm:g}; a warning must not come after")
        if list(self.embargoes) != sorted(set(self.embargoes)):
            raise ValueError(f"embargoes are {list(self.embargoes)}; write each once, the smallest first")
        return self
