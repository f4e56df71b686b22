"""Keep the parts of an evaluation that cross-validation needs."""

from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.records import RIGHT_BY_COLOUR, EvaluationRecord
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.pipelines.splitting.options import SplittingOptions


def keep_evaluation(  # noqa: PLR0913 (a data set each)
    predictions: pd.DataFrame,
    metrics: dict[str, float | None],
    features: pd.DataFrame,
    splits: pd.DataFrame,
    manifest: pd.DataFrame,
    *,
    class_names: list[str],
    splitting: SplittingOptions,
    colour_baseline: dict[str, Any] | None,
    seed: int,
) -> EvaluationRecord:
    """Build the record of an evaluation that is kept beside its training, for cross-validation.

    Args:
        predictions: One row per image.
        metrics: The metrics of every split.
        features: The features, for the model's name and fingerprint.
        splits: Which images are in the test split, and their groups.
        manifest: All images, and which are copies of each other.
        class_names: The classes in order.
        splitting: Which fold is the test set, and what was held together.
        colour_baseline: The test images that stain colour alone gets wrong; ignored if computed on other splits.
        seed: The seed of the splits and the training.
    """
    from leukoscope.images.grouping import select_accepted

    accepted = select_accepted(manifest)
    fingerprint = fingerprint_table(splits)
    test = predictions[predictions["split"] == "test"].drop(columns="split")
    groups = splits.set_index("image_id")["group"].loc[test["image_id"]].to_numpy()
    copies = accepted.set_index("image_id")["group"].loc[test["image_id"]].to_numpy()
    facts = {
        "model": str(features["model"].iloc[0]),
        "fold": list(splitting.fold_number) if splitting.fold_number else None,
        "splitting": splitting.facts,
        "splits": fingerprint,
        "data": fingerprint_manifest(manifest),
        "accepted": len(accepted),
        "seed": seed,
        "class_names": list(class_names),
    }
    test = test.assign(group=groups, copies=copies)
    if colour_baseline is not None and colour_baseline["splits"] == fingerprint:
        test[RIGHT_BY_COLOUR] = ~test["image_id"].isin(colour_baseline["errors"])
    return EvaluationRecord(facts, metrics, test.reset_index(drop=True))
