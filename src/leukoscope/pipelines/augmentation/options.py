"""Parameters of augmentation."""

from typing import Any, Literal

from pydantic import Field

from leukoscope.core.options import Options


class AugmentationOptions(Options):
    """How classes are balanced in training, and what is drawn for each image and epoch."""

    balance: Literal["oversample", "class_weights", "none"] = "oversample"
    horizontal_flip: bool = True
    vertical_flip: bool = False
    rotation: float = Field(default=20.0, ge=0, le=180)
    zoom: float = Field(default=0.1, ge=0, lt=1)
    shift: float = Field(default=0.1, ge=0, lt=1)
    stain: float = Field(default=0.0, ge=0, lt=1)
    brightness: float = Field(default=0.0, ge=0, lt=1)
    grey: float = Field(default=0.0, ge=0, le=1)
    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)

    @property
    def drawn(self) -> dict[str, Any]:
        """What is drawn for each image by itself: the arguments of ``build_augmentation``."""
        return self.model_dump(exclude={"balance", "mixup", "cutmix"})

    @property
    def mixing(self) -> dict[str, float]:
        """How images are mixed with others: the arguments of ``Mixing``; nothing where they are not."""
        chosen = {"mixup": self.mixup, "cutmix": self.cutmix}
        return {name: alpha for name, alpha in chosen.items() if alpha}
