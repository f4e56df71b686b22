"""How a generator is trained, what is drawn with it, and what it is judged by."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from leukoscope.core.options import Options
from leukoscope.models import architecture


class JudgeOptions(Options):
    """The network whose features tell how much alike images are.

    Attributes:
        architecture: A registered one.
        weights: ``imagenet``, ``none``, or the path of a weights file of it without its top.
        input_size: Side in pixels to which images are resized for it; by default as the architecture has it.
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
    """A generator's training, how many images of each class are drawn, and who judges them.

    Attributes:
        model: A denoising diffusion model, or a DCGAN.
        epochs: Of the training images.
        batch_size: Images in a step.
        learning_rate: Of Adam.
        ema_momentum: Of the moving average of a diffusion model's weights, which is what draws.
        sampling_steps: Of the 1,000 steps, how many a diffusion model visits when it draws.
        images_per_class: How many are drawn of each class.
        judge: By whose features they are judged.
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
        """What determines the training, without what it does not use."""
        beside = {"sampling_steps", "images_per_class", "judge"}
        return self.model_dump(exclude=beside if self.model == "ddpm" else beside | {"ema_momentum"})
