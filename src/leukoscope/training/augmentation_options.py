"""Options of the augmentation drawn for each training image: shared parameters, and an entry's differences."""

from typing import Any, Self

from pydantic import Field

from leukoscope.core.options import Options, differences

_CAMERA = {"blur", "noise", "compression"}


class AugmentationRecipe(Options):
    """The augmentation drawn for each image and epoch; an entry may override it.

    Attributes:
        horizontal_flip: As in ``RandomAffine``, like the next four.
        vertical_flip: As in ``RandomAffine``.
        rotation: As in ``RandomAffine``.
        zoom: As in ``RandomAffine``.
        shift: As in ``RandomAffine``.
        stain: As in ``RandomStain``, like the next two.
        brightness: As in ``RandomStain``.
        grey: As in ``RandomStain``.
        blur: As in ``RandomBlur``.
        noise: As in ``RandomNoise``.
        compression: As in ``RandomCompression``; ``None``: no compression.
        mixup: As in ``Mixing``.
        cutmix: As in ``Mixing``.
        synthetic: Share of a batch's images that are replaced by generated images of their classes.
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
        """The arguments of ``build_augmentation``, drawn separately for each image.

        Camera effects are included only if they are active, so that keys of trainings without them stay the same.
        """
        drawn = self.model_dump(include=set(AugmentationRecipe.model_fields) - {"mixup", "cutmix", "synthetic"})
        return {name: value for name, value in drawn.items() if value or name not in _CAMERA}

    @property
    def mixing(self) -> dict[str, float]:
        """The arguments of ``Mixing``; empty if images are not mixed."""
        chosen = {"mixup": self.mixup, "cutmix": self.cutmix}
        return {name: alpha for name, alpha in chosen.items() if alpha}

    def join(self, own: Options) -> Self:
        """Return this recipe with an entry's differences, an ``AugmentationDifferences``."""
        return type(self).model_validate(self.model_dump() | own.model_dump(exclude_unset=True))


AugmentationDifferences = differences(AugmentationRecipe)


class ResolvedAugmentation(AugmentationRecipe):
    """The augmentation in effect for an entry.

    Attributes:
        generated: The fingerprint of the generated images, if any replace real ones.
    """

    generated: str | None = None
