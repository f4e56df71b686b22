"""Measure how far reviewers agree with the models that they reviewed."""

from typing import Any

import pandas as pd

from leukoscope.pipelines.agreement.options import AgreementOptions


def measure_agreement(
    reviews: pd.DataFrame, class_names: list[str], options: AgreementOptions, seed: int
) -> dict[str, Any]:
    """Measure it for each model that was reviewed, on the last review of each image by each reviewer.

    Args:
        reviews: As the review page keeps them.
        class_names: The classes that the parameters name.
        options: How sure the figures are.
        seed: For the intervals.

    Returns:
        The number of reviews, and for each model its name and fingerprints, its reviewers, how many of the images it
        had learned from, and the figures of ``leukoscope.evaluation.agreement``.
    """
    from leukoscope.evaluation import agreement

    newest = agreement.select_newest(reviews)
    facts = ["model", "model_fingerprint", "data"]
    models = []
    for names, rows in newest.groupby(facts, sort=False):
        figures = agreement.measure_agreement(rows, class_names, options.resamples, options.confidence, seed)
        known = {"reviewers": rows["reviewer"].nunique(), "seen_before": int(rows["seen_in"].notna().sum())}
        models.append(dict(zip(facts, names, strict=True)) | known | figures)
    return {"reviews": len(reviews), "superseded": len(reviews) - len(newest), "models": models}
