"""Parameters of augmentation."""

from typing import Literal

from leukoscope.training.augmentation_options import AugmentationRecipe


class AugmentationOptions(AugmentationRecipe):
    """How classes are balanced in training, and what is drawn for each image and epoch."""

    balance: Literal["oversample", "class_weights", "none"] = "oversample"
