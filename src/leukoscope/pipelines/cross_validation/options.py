"""Parameters of cross-validation."""

from typing import Annotated

from pydantic import BeforeValidator

from leukoscope.core.class_names import split_names
from leukoscope.core.options import Options


class CrossValidationOptions(Options):
    """Which models are cross-validated.

    Attributes:
        models: The models' names; ``None`` for all that were trained on folds.
    """

    models: Annotated[tuple[str, ...] | None, BeforeValidator(split_names)] = None
