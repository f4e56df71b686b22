"""Parameters of a backbone: its differences from the shared recipe, and what was published about it."""

from typing import Literal

from pydantic import Field

from leukoscope.core.options import Options
from leukoscope.models.architecture import BACKBONES
from leukoscope.training.recipe import RecipeDifferences


class Published(Options):
    """Figures of the published study, to stand beside ours."""

    train_accuracy: float | None = Field(default=None, ge=0, le=1)
    test_accuracy: float | None = Field(default=None, ge=0, le=1)
    seconds_per_epoch: float | None = Field(default=None, gt=0)

    def as_report(self) -> dict[str, float | None]:
        """Give each figure a name that marks it as the report's: ``report_test_accuracy`` and so on."""
        return {f"report_{name}": value for name, value in self.model_dump().items()}


class BackboneOptions(Options):
    """What is said of one backbone: the row of the table that it is, its differences, what was published."""

    backbone: Literal[tuple(BACKBONES)]  # type: ignore[valid-type]
    training: RecipeDifferences = RecipeDifferences()  # type: ignore[valid-type]
    published: Published = Published()
