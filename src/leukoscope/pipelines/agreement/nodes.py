"""Measure how well readers agree with each other and with the models they reviewed, and find consensus labels."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.figures import Figure
from leukoscope.pipelines.agreement.options import AgreementOptions, check_washout
from leukoscope.pipelines.evaluation.options import EvaluationOptions

logger = logging.getLogger(__name__)


def measure_agreement(
    reviews: pd.DataFrame,
    reviewed_manifest: pd.DataFrame | None,
    reviewed_splits: pd.DataFrame | None,
    class_names: list[str],
    washout_days: Any,
    options: AgreementOptions,
    evaluation: EvaluationOptions,
    seed: int,
) -> dict[str, Any]:
    """Measure agreement for each reviewed model.

    Args:
        reviews: The reviews as the review page stores them.
        reviewed_manifest: The manifest of the images ingested here, if any: the source of the labels.
        reviewed_splits: The splits, if any: the source of the groups that were kept together.
        class_names: The class names in the parameters.
        washout_days: Number of days after which reading a field again counts as another round.
        options: The confidence and resampling of the intervals.
        evaluation: Names the benign classes.
        seed: Random seed for the intervals.

    Returns:
        The number of reviews, and for each model its name and fingerprints, its reviewers, how many of the images it
        had learned from, the metrics of ``leukoscope.evaluation.agreement`` on the last review of each image by each
        reviewer, and those of ``leukoscope.evaluation.reader_study`` on the readings.
    """
    from leukoscope.evaluation import agreement, readings

    days = check_washout(washout_days)
    known = readings.Known.gather(reviewed_manifest, reviewed_splits)
    newest = agreement.select_newest(reviews)
    chosen = readings.select_readings(reviews, days)
    facts = ["model", "model_fingerprint", "data"]
    models = []
    for names, rows in newest.groupby(facts, sort=False):
        figures = agreement.measure_agreement(rows, class_names, options.resamples, options.confidence, seed)
        reviews_here, read = (table[(table[facts] == list(names)).all(axis=1)] for table in (reviews, chosen))
        counts = {"reviewers": rows["reviewer"].nunique(), "seen_before": int(rows["seen_in"].notna().sum())}
        study = _describe_study(read, known, class_names, options, evaluation, seed)
        unnamed = {"unnamed": int((reviews_here["reviewer"] == "").sum())}
        models.append(dict(zip(facts, names, strict=True)) | counts | figures | {"study": unnamed | study})
    fields = reviews["sha256"].unique().tolist()
    return {
        "reviews": len(reviews),
        "superseded": len(reviews) - len(newest),
        "fields": len(fields),
        "drawn": known.count_drawn(fields),
        "confidence": options.confidence,
        "washout_days": days,
        "models": models,
        "consensus": _describe_consensus(reviews, options),
    }


def _describe_study(
    chosen: pd.DataFrame,
    known: Any,
    class_names: list[str],
    options: AgreementOptions,
    evaluation: EvaluationOptions,
    seed: int,
) -> dict[str, Any]:
    from leukoscope.evaluation import aided_reading, reader_study

    classes = [*chosen["likeliest"], *chosen["reviewer_class"].dropna()]
    names = tuple(dict.fromkeys([*class_names, *classes]))
    precision = reader_study.Precision(options.resamples, options.confidence, seed)
    benign = tuple(number for number, name in enumerate(names) if name in evaluation.benign_class)
    study = reader_study.Study(chosen, known, names, benign, precision)
    return {
        "by_group": known.has_groups(chosen["sha256"].unique().tolist()),
        "phases": reader_study.describe_phases(study),
        "rounds": reader_study.describe_rounds(study),
        "changes": reader_study.describe_changes(study),
        "aided": aided_reading.describe_aided(study),
    }


def _describe_consensus(reviews: pd.DataFrame, options: AgreementOptions) -> dict[str, Any]:
    from leukoscope.evaluation import consensus

    labels, ties = consensus.vote(consensus.choose_votes(reviews, options.consensus))
    return {"votes": options.consensus, "labels": len(labels), "ties": ties}


def take_consensus(reviews: pd.DataFrame, options: AgreementOptions) -> pd.DataFrame:
    """Label each field with the class that most readers chose; tied fields are left out and logged.

    Args:
        reviews: The reviews as the review page stores them.
        options: Which reviews count as votes.

    Returns:
        One row per field: ``sha256``, ``file_name`` (if it was kept), ``label``, ``votes``, ``readers``, ``share``.
    """
    from leukoscope.evaluation import consensus

    labels, ties = consensus.vote(consensus.choose_votes(reviews, options.consensus))
    logger.info("%s a class that most readers agree on", count_of(len(labels), "field has", "fields have"))
    for tie in ties:
        votes = ", ".join(f"{name} {count}" for name, count in tie["votes"].items())
        logger.warning("No label for %s, whose votes are tied: %s", tie["file_name"] or tie["sha256"][:16], votes)
    return labels


def draw_agreement(agreement: dict[str, Any]) -> Figure:
    """Plot the agreement of each pair of readers, and of each reader with the model.

    Args:
        agreement: The result of ``measure_agreement``.
    """
    from leukoscope.figures import readers

    return readers.draw_agreement(agreement["models"])


def write_agreement(
    agreement: dict[str, Any],
    software: dict[str, Any],
    seed: int,
    of_comparison: Sequence[str] = (),
    of_models: Sequence[str] = (),
) -> str:
    """Write the page about readers.

    Args:
        agreement: The result of ``measure_agreement``.
        software: Versions and the commit.
        seed: The project's random seed.
        of_comparison: The existing pages that compare models.
        of_models: The pages of models.
    """
    from leukoscope.reporting import readers

    return readers.render_agreement(agreement, software | {"seed": str(seed)}, [*of_comparison, *of_models])
