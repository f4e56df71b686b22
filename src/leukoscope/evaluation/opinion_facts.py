"""What is watched of opinions: numbers that say nothing of who was examined."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukoscope.evaluation import feature_table
from leukoscope.evaluation.out_of_distribution import KnownImages
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.trust import UNLIKE, UNPROMISED, UNSURE, Calibration, form_opinions

# A reader may have further reasons, which nothing is known about on validation images.
_REASONS = (UNLIKE, UNPROMISED, UNSURE)


def tabulate_facts(opinions: pd.DataFrame, class_names: Sequence[str], measured: pd.DataFrame) -> pd.DataFrame:
    """Reduce opinions to what is watched of them.

    Args:
        opinions: One row an image: ``reason``, ``ood_score``, and a calibrated probability column a class.
        class_names: The classes.
        measured: Of the same images, as ``KnownImages.summarise`` gives it.

    Returns:
        ``likeliest`` (a class), ``certainty`` (its probability), ``reason`` (of abstaining, else empty), ``ood_score``,
        and what was measured.
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
    """Tell of which images there is no opinion, for a reason that images of validation can have, too."""
    return facts["reason"].str.startswith(_REASONS)


def tabulate_validation(
    predictions: pd.DataFrame, features: pd.DataFrame, calibration: Calibration, class_names: Sequence[str]
) -> pd.DataFrame:
    """Give the same of a model's validation images.

    Args:
        predictions: One row an image of all splits, as the model gives them.
        features: Of the same images, with their checks.
        calibration: Learned of the model.
        class_names: The classes in order.

    Returns:
        ``image_id``, and as of ``tabulate_facts``.
    """
    known = KnownImages.learn(features)
    rows = predictions[predictions["split"] == "validation"].reset_index(drop=True)
    rows_of_features = features.set_index("image_id").loc[rows["image_id"]]
    points = feature_table.select(rows_of_features)
    checks = feature_table.select_checks(rows_of_features)
    probabilities = rows[probability_columns(class_names)].to_numpy()
    opinions = form_opinions(probabilities, known.compare(points, checks), calibration, class_names)
    return rows[["image_id"]].join(tabulate_facts(opinions, class_names, known.summarise(points, checks)))
