"""Turn splits and parameters into the training plan, and preview what training will see."""

import numpy as np
import pandas as pd

from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.augmentation.options import AugmentationOptions


def plan_training(splits: pd.DataFrame, options: AugmentationOptions, seed: int) -> pd.DataFrame:
    """Plan how often an epoch shows each training image, and its weight in the loss.

    Args:
        splits: Which split each image is in.
        options: How to balance the classes.
        seed: Random seed for choosing the images that oversampling shows once more than others of their class.

    Returns:
        ``image_id, label, repeats, weight``, one row per training image. Oversampling shows each class as often
        as the largest; class weights are inversely proportional to the class's share, with mean 1.
    """
    plan = splits.loc[splits["split"] == "train", ["image_id", "label"]].reset_index(drop=True)
    size = plan.groupby("label")["label"].transform("size")
    plan["repeats"], plan["weight"] = 1, 1.0
    if options.balance == "oversample":
        order = pd.Series(np.random.default_rng(seed).permutation(len(plan)), index=plan.index)
        rank = order.groupby(plan["label"]).rank(method="first") - 1
        plan["repeats"] = size.max() // size + (rank < size.max() % size)
    elif options.balance == "class_weights":
        plan["weight"] = len(plan) / (plan["label"].nunique() * size)
    return plan


def preview_augmentation(
    smears: PackedImages, training_plan: pd.DataFrame, options: AugmentationOptions, seed: int
) -> Figure:
    """Draw some training images, each next to examples of its augmentation.

    Args:
        smears: The packed images.
        training_plan: The training images.
        options: The random augmentation.
        seed: Random seed for the augmentation.
    """
    import keras

    from leukoscope.figures import montages
    from leukoscope.training import augmentation

    chosen = training_plan.groupby("label", sort=False).head(1)
    originals = smears.pixels[smears.rows(chosen["image_id"])].astype("float32")
    layer = augmentation.build_augmentation(seed, **options.drawn)
    versions = [originals, *(keras.ops.convert_to_numpy(layer(originals, training=True)) for _ in range(5))]
    columns = ["as it is", *(f"epoch {number}" for number in range(1, len(versions)))]
    return montages.draw_grid(np.stack(versions, axis=1), rows=list(chosen["label"]), columns=columns)
