"""The monitored facts about opinions: numbers that reveal nothing about who was examined."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukoscope.evaluation import feature_table
from leukoscope.evaluation.out_of_distribution import KnownImages
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.trust import UNLIKE, UNPROMISED, UNSURE, Calibration, form_opinions

# A reader may have further reasons to abstain, which have no counterpart on validation images.
_REASONS = (UNLIKE, UNPROMISED, UNSURE)


def tabulate_facts(opinions: pd.DataFrame, class_names: Sequence[str], measured: pd.DataFrame) -> pd.DataFrame:
    """Reduce opinions to the facts that are monitored.

    Args:
        opinions: One row per image: ``reason``, ``ood_score``, and one calibrated probability column per class.
        class_names: The classes.
        measured: Measurements of the same images, from ``KnownImages.summarise``.

    Returns:
        ``likeliest`` (a class), ``certainty`` (its probability), ``reason`` (for abstaining, else empty),
        ``ood_score``, and the measurements.
    """
    chances = opinions[probability_columns(class_names)].to_numpy(float)
    facts = {
        "likeliest": np.array(class_names)[chances.argmax(axis=1)],
        "certainty": chances.max(axis=1),
        "reason": opinions["reason"].astype(str).to_numpy(),
        "ood_score": opinions["ood_score"].to_numpy(float),
    }
    return pd.DataFrame(facts, index=measured.index).join(measured)


def mark_abstained(facts: pd.DataFrame) -> pd.Series:
    """Mark the images with an abstention, for a reason that can occur on validation images, too."""
    return facts["reason"].str.startswith(_REASONS)


def tabulate_validation(
    predictions: pd.DataFrame, features: pd.DataFrame, calibration: Calibration, class_names: Sequence[str]
) -> pd.DataFrame:
    """Tabulate the facts about a model's validation images.

    Args:
        predictions: The model's predictions, one row per image of all splits.
        features: Features and checks of the same images.
        calibration: The model's calibration.
        class_names: The classes in order.

    Returns:
        ``image_id``, and the columns of ``tabulate_facts``.
    """
    known = KnownImages.learn(features)
    rows = predictions[predictions["split"] == "validation"].reset_index(drop=True)
    rows_of_features = features.set_index("image_id").loc[rows["image_id"]]
    points = feature_table.select(rows_of_features)
    checks = feature_table.select_checks(rows_of_features)
    probabilities = rows[probability_columns(class_names)].to_numpy()
    opinions = form_opinions(probabilities, known.compare(points, checks), calibration, class_names)
    return rows[["image_id"]].join(tabulate_facts(opinions, class_names, known.summarise(points, checks)))
