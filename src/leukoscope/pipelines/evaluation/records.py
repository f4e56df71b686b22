"""Keep what cross-validation needs of an evaluation."""

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.records import EvaluationRecord
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.pipelines.splitting.options import SplittingOptions


def keep_evaluation(
    predictions: pd.DataFrame,
    metrics: dict[str, float | None],
    features: pd.DataFrame,
    splits: pd.DataFrame,
    manifest: pd.DataFrame,
    class_names: list[str],
    splitting: SplittingOptions,
    seed: int,
) -> EvaluationRecord:
    """Put together what is kept of an evaluation beside its training, for cross-validation.

    Args:
        predictions: One row an image.
        metrics: The figures of every split.
        features: By which model.
        splits: Which images test, and their groups.
        manifest: All images, and which are copies of each other.
        class_names: The classes in order.
        splitting: Which fold tests, and what was held together.
        seed: Of the splits and the training.
    """
    from leukoscope.images.grouping import select_accepted

    accepted = select_accepted(manifest)
    test = predictions[predictions["split"] == "test"].drop(columns="split")
    groups = splits.set_index("image_id")["group"].loc[test["image_id"]].to_numpy()
    copies = accepted.set_index("image_id")["group"].loc[test["image_id"]].to_numpy()
    facts = {
        "model": str(features["model"].iloc[0]),
        "fold": list(splitting.fold_number) if splitting.fold_number else None,
        "splitting": splitting.facts,
        "splits": fingerprint_table(splits),
        "data": fingerprint_manifest(manifest),
        "accepted": len(accepted),
        "seed": seed,
        "class_names": list(class_names),
    }
    return EvaluationRecord(facts, metrics, test.assign(group=groups, copies=copies).reset_index(drop=True))
