"""Parameters of the audit."""

from pydantic import Field, PositiveInt

from leukoscope.options import Options


class AuditOptions(Options):
    """How strictly the audit judges, and when it raises the alarm."""

    folds: int = Field(default=5, ge=2)
    trees: PositiveInt = 200
    resamples: PositiveInt = 2000
    confidence: float = Field(default=0.95, gt=0, lt=1)
    alarm: float = Field(default=0.5, gt=0, lt=1)
