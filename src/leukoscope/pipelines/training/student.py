"""What a student takes of its teacher."""

from typing import Any

import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.compatibility import covers_splits, require_evaluation
from leukoscope.models.base import Classifier


def collect_teaching(
    recipe: dict[str, Any],
    splits: pd.DataFrame,
    model: Classifier,
    predictions: pd.DataFrame,
    features: pd.DataFrame,
    training_summary: dict[str, Any],
) -> pd.DataFrame:
    """Take what a teacher says of the images of all splits, of each as it is.

    Its evaluation kept that, so that no image is predicted again.

    Args:
        recipe: Names the teacher.
        splits: The current splits.
        model: The teacher.
        predictions: Of the teacher.
        features: By which model they are.
        training_summary: Of its training.

    Returns:
        ``image_id``, the teacher's probabilities as it gives them, and ``model``, its fingerprint.

    Raises:
        InputError: It was trained or evaluated on other splits, or trained again since it was evaluated.
    """
    name = recipe["recipe"]["distillation"]["teacher"]
    require_evaluation(name, model.fingerprint == features["model"].iloc[0])
    if training_summary["splits"] != fingerprint_table(splits) or not covers_splits(predictions, splits):
        raise InputError(
            f"{name}, the teacher, was trained or evaluated on other splits than the present ones: its student must "
            f"not see what it learned of test images. Run `{name_run(f'train_{name}')}`, or restore the splits (seed "
            f"and splitting parameters)."
        )
    probabilities = predictions.filter(regex="^(image_id$|probability_)")
    return probabilities.assign(model=model.fingerprint)


def name_teacher(recipe: dict[str, Any], teaching: pd.DataFrame) -> dict[str, Any]:
    """Put which model teaches into what determines a training.

    Args:
        recipe: In force.
        teaching: What the teacher says.
    """
    return recipe | {"teacher": str(teaching["model"].iloc[0])}
