"""Parameters of augmentation."""

from typing import Literal

from leukoscope.training.augmentation_options import AugmentationRecipe


class AugmentationOptions(AugmentationRecipe):
    """How classes are balanced in training, and which random changes each image undergoes in each epoch."""

    balance: Literal["oversample", "class_weights", "none"] = "oversample"
