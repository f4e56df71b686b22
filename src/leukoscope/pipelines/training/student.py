"""What a student learns from its teacher."""

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
    """Collect the teacher's predictions on the unchanged images of all splits.

    They come from the teacher's evaluation, so that no image is predicted again.

    Args:
        recipe: Names the teacher.
        splits: The current splits.
        model: The teacher.
        predictions: The teacher's predictions.
        features: The teacher's features, for the fingerprint of the evaluated model.
        training_summary: The summary of the teacher's training.

    Returns:
        ``image_id``, the teacher's raw probabilities, and ``model``, its fingerprint.

    Raises:
        InputError: The teacher was trained or evaluated on other splits, or retrained since its evaluation.
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
    """Add the teacher's fingerprint to what determines a training.

    Args:
        recipe: The recipe in force.
        teaching: The teacher's predictions.
    """
    return recipe | {"teacher": str(teaching["model"].iloc[0])}
