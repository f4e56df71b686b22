"""Measure how far readers agree, with each other and with the models that they reviewed, and what they agree on."""

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
    """Measure it for each model that was reviewed.

    Args:
        reviews: As the review page keeps them.
        reviewed_manifest: The images that were ingested here, if there are any: labels come from there.
        reviewed_splits: And the groups that were never divided.
        class_names: The classes that the parameters name.
        washout_days: After how long a field is read in another round.
        options: How sure the figures are.
        evaluation: Has the benign classes.
        seed: For the intervals.

    Returns:
        The number of reviews, and for each model its name and fingerprints, its reviewers, how many of the images it
        had learned from, the figures of ``leukoscope.evaluation.agreement`` on the last review of each image by each
        reviewer, and of ``leukoscope.evaluation.reader_study`` on readings.
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
    """Take of each field the class that most readers give it; what is tied is left out, and named.

    Args:
        reviews: As the review page keeps them.
        options: Which reviews are votes.

    Returns:
        One row a field: ``sha256``, ``file_name`` (if it was kept), ``label``, ``votes``, ``readers``, ``share``.
    """
    from leukoscope.evaluation import consensus

    labels, ties = consensus.vote(consensus.choose_votes(reviews, options.consensus))
    logger.info("%s a class that most readers agree on", count_of(len(labels), "field has", "fields have"))
    for tie in ties:
        votes = ", ".join(f"{name} {count}" for name, count in tie["votes"].items())
        logger.warning("No label for %s, whose votes are tied: %s", tie["file_name"] or tie["sha256"][:16], votes)
    return labels


def draw_agreement(agreement: dict[str, Any]) -> Figure:
    """Draw how far each pair of readers agrees, and each reader with the model.

    Args:
        agreement: As ``measure_agreement`` gives it.
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
    """Write the page of readers.

    Args:
        agreement: As ``measure_agreement`` gives it.
        software: Versions, and the commit.
        seed: The one seed.
        of_comparison: The pages that compare models, as far as they are there.
        of_models: The pages of models.
    """
    from leukoscope.reporting import readers

    return readers.render_agreement(agreement, software | {"seed": str(seed)}, [*of_comparison, *of_models])
