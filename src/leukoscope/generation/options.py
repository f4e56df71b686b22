"""Options of a generator's training, drawing and judging."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from leukoscope.core.options import Options
from leukoscope.models import architecture


class JudgeOptions(Options):
    """The network whose features measure how similar images are.

    Attributes:
        architecture: A registered architecture.
        weights: ``imagenet``, ``none``, or the path of a weights file for it without its top.
        input_size: Side in pixels to which images are resized for it; by default the architecture's own.
    """

    architecture: str = "inception_v3"
    weights: str = "imagenet"
    input_size: PositiveInt | None = None

    @field_validator("architecture")
    @classmethod
    def _require_architecture(cls, name: str) -> str:
        architecture.require(name)
        return name


class GenerationOptions(Options):
    """A generator's training, the number of images drawn per class, and their judge.

    Attributes:
        model: A denoising diffusion model, or a DCGAN.
        epochs: Epochs over the training images.
        batch_size: Images in a step.
        learning_rate: Adam's learning rate.
        ema_momentum: Momentum of the moving average of a diffusion model's weights, which is used for drawing.
        sampling_steps: How many of the 1,000 steps a diffusion model visits when drawing.
        images_per_class: Number of images drawn per class.
        judge: The network whose features judge the images.
    """

    model: Literal["ddpm", "dcgan"] = "ddpm"
    epochs: PositiveInt = 400
    batch_size: int = Field(default=32, ge=2)
    learning_rate: PositiveFloat = 2e-4
    ema_momentum: float = Field(default=0.999, ge=0, lt=1)
    sampling_steps: int = Field(default=50, ge=1, le=1000)
    images_per_class: int = Field(default=500, ge=2)
    judge: JudgeOptions = JudgeOptions()

    @property
    def determining(self) -> dict[str, Any]:
        """The options that determine the training, without unused ones."""
        beside = {"sampling_steps", "images_per_class", "judge"}
        return self.model_dump(exclude=beside if self.model == "ddpm" else beside | {"ema_momentum"})
