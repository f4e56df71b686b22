"""Parameters of evaluation."""

from pydantic import NonNegativeInt, PositiveInt

from leukoscope.options import Options


class EvaluationOptions(Options):
    """How predictions are made and shown."""

    batch_size: PositiveInt = 64
    benign_class: str = "Benign"
    worst_errors: NonNegativeInt = 12
