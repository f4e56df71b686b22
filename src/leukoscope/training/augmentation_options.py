"""What is drawn for each image of a training, and where it is put together: the shared parameters, and an entry's."""

from typing import Any, Self

from pydantic import Field

from leukoscope.core.options import Options, differences

_CAMERA = {"blur", "noise", "compression"}


class AugmentationRecipe(Options):
    """What is drawn for each image and epoch; an entry may differ from it.

    Attributes:
        horizontal_flip: As in ``RandomAffine``, and so are the next four.
        vertical_flip: See there.
        rotation: See there.
        zoom: See there.
        shift: See there.
        stain: As in ``RandomStain``, and so are the next two.
        brightness: See there.
        grey: See there.
        blur: As in ``RandomBlur``.
        noise: As in ``RandomNoise``.
        compression: As in ``RandomCompression``; ``None``: not.
        mixup: As in ``Mixing``.
        cutmix: As in ``Mixing``.
        synthetic: Share of the images of a batch that generated ones of their classes stand in for.
    """

    horizontal_flip: bool = True
    vertical_flip: bool = False
    rotation: float = Field(default=20.0, ge=0, le=180)
    zoom: float = Field(default=0.1, ge=0, lt=1)
    shift: float = Field(default=0.1, ge=0, lt=1)
    stain: float = Field(default=0.0, ge=0, lt=1)
    brightness: float = Field(default=0.0, ge=0, lt=1)
    grey: float = Field(default=0.0, ge=0, le=1)
    blur: float = Field(default=0.0, ge=0, le=20)
    noise: float = Field(default=0.0, ge=0, le=255)
    compression: float | None = Field(default=None, ge=1, le=100)
    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    synthetic: float = Field(default=0.0, ge=0, lt=1)

    @property
    def drawn(self) -> dict[str, Any]:
        """What is drawn for each image by itself: the arguments of ``build_augmentation``.

        What the camera does is among them only if it does anything: trainings without it keep the keys that they had.
        """
        drawn = self.model_dump(include=set(AugmentationRecipe.model_fields) - {"mixup", "cutmix", "synthetic"})
        return {name: value for name, value in drawn.items() if value or name not in _CAMERA}

    @property
    def mixing(self) -> dict[str, float]:
        """How images are mixed with others: the arguments of ``Mixing``; nothing where they are not."""
        chosen = {"mixup": self.mixup, "cutmix": self.cutmix}
        return {name: alpha for name, alpha in chosen.items() if alpha}

    def join(self, own: Options) -> Self:
        """Join an entry's differences, an ``AugmentationDifferences``."""
        return type(self).model_validate(self.model_dump() | own.model_dump(exclude_unset=True))


AugmentationDifferences = differences(AugmentationRecipe)


class ResolvedAugmentation(AugmentationRecipe):
    """What is in force for an entry.

    Attributes:
        generated: The fingerprint of the generated images, where any stand in for real ones.
    """

    generated: str | None = None
