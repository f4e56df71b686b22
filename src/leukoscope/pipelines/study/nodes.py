"""Run the unfinished trainings of a study, and analyse all of them together."""

import logging
from functools import partial
from typing import Any

import pandas as pd

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.search.options import SearchOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.study.options import StudyOptions
from leukoscope.reporting.frame import Frame
from leukoscope.study.ledger import Ledger
from leukoscope.study.plan import Plan
from leukoscope.study.running import FAILED
from leukoscope.study.unit import Outcome
from leukoscope.training.entry import ModelOptions

logger = logging.getLogger(__name__)

# The last nodes of a unit.
_KEPT = ("keep_evaluation", "record_evaluation")


def run_units(
    study_checked: Plan, study_ledger: Ledger, study: StudyOptions, cluster: ClusterOptions, search: SearchOptions
) -> list[Outcome]:
    """Train and evaluate every unfinished unit, each in its own process.

    Args:
        study_checked: The plan with all units.
        study_ledger: The ledger of finished units.
        study: How many units run at a time on this machine.
        cluster: The cluster to run on, if there is one.
        search: The search within the folds of the entries that ask for it.

    Returns:
        The outcome of each unit, in the order of the plan.
    """
    from leukoscope.core.session import get_run, get_session, get_tracking
    from leukoscope.study import running, unit

    nodes = {entry: list_nodes(entry, *_KEPT) for entry in study_checked.entries}
    searched = dict.fromkeys(study.searched, tuple(search.space))
    job = unit.Job(nodes, get_session(), study_ledger, get_run(), get_tracking(), searched)
    if not cluster.is_used:
        return running.run_units(study_checked, study_ledger, running.Processes(job, study.workers))
    from leukoscope.cluster.client import connect
    from leukoscope.study.remote import Cluster

    opening = partial(connect, cluster, job.session.project, study_ledger.data, job.tracking)
    return running.run_units(study_checked, study_ledger, Cluster(opening, job))


def list_nodes(entry: str, *ends: str) -> list[str]:
    """List a model's nodes from the packed images up to and including some of its own nodes.

    Args:
        entry: The model's name.
        ends: The last nodes, by their names in the model's namespace.
    """
    from kedro.framework.project import pipelines

    ingested = {node.name for node in pipelines["ingestion"].nodes}
    wanted = [f"{entry}.{name}" for name in ends]
    return [node.name for node in pipelines[f"train_{entry}"].to_nodes(*wanted).nodes if node.name not in ingested]


def tabulate_units(study_outcomes: list[Outcome], study_ledger: Ledger) -> pd.DataFrame:
    """Tabulate the outcome of each unit.

    Args:
        study_outcomes: The outcomes of all units.
        study_ledger: The ledger, for the places of their trainings.

    Returns:
        One row per unit, in the format of ``leukoscope.study.results``.
    """
    from leukoscope.study import results

    return results.tabulate_units(study_outcomes, study_ledger)


def pool_units(
    study_outcomes: list[Outcome], study_ledger: Ledger
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame | None]]:
    """Pool each model's predictions of all test images, for each seed with all folds finished.

    Args:
        study_outcomes: The outcomes of all units.
        study_ledger: The ledger, for the places of their trainings.

    Returns:
        The tables twice: for this study, and for their files, which are kept beside those of earlier studies. For a
        model without such a seed the latter is ``None``, so that an earlier study's file is not taken for this one's.
    """
    from leukoscope.study import results

    pooled = results.pool_units(study_outcomes, study_ledger)
    return pooled, {outcome.unit.entry: pooled.get(outcome.unit.entry) for outcome in study_outcomes}


def gather_histories(study_outcomes: list[Outcome], study_ledger: Ledger) -> pd.DataFrame:
    """Collect the epochs of all units.

    Args:
        study_outcomes: The outcomes of all units.
        study_ledger: The ledger, for the places of their trainings.
    """
    from leukoscope.study import results

    return results.gather_histories(study_outcomes, study_ledger)


def judge_study(
    study_pooled: dict[str, Any],
    study_units: pd.DataFrame,
    evaluation: EvaluationOptions,
    class_names: list[str],
    seed: int,
) -> pd.DataFrame:
    """Score each model over all its seeds, with intervals that cover both images and seeds.

    Args:
        study_pooled: The pooled predictions of each model.
        study_units: One row per unit.
        evaluation: How the intervals are computed.
        class_names: The classes in order.
        seed: Random seed for the draws.

    Returns:
        One row per model.
    """
    from leukoscope.evaluation.scoring import Scoring
    from leukoscope.study import results

    scoring = Scoring(class_names, evaluation.benign_class, evaluation.prevalence)
    table = results.judge(study_pooled, study_units, scoring, evaluation.resamples, evaluation.confidence, seed)
    for row in table.itertuples():
        logger.info("%s", _say(row))
    return table


def _say(row: Any) -> str:
    if not row.seeds:
        return f"{row.model}: no seed of which all {row.folds} folds finished"
    ends = f" ({row.accuracy_low:.3f} to {row.accuracy_high:.3f})" if pd.notna(row.accuracy_low) else ""
    spread = f", standard deviation between seeds {row.accuracy_seed_sd:.3f}" if row.seeds > 1 else ""
    return f"{row.model}, {row.seeds} x {row.folds} units: accuracy {row.accuracy:.3f}{ends}{spread}"


def compare_study(
    study_pooled: dict[str, Any],
    evaluation: EvaluationOptions,
    splitting: SplittingOptions,
    manifest: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """Compare the models pair by pair, treating both images and seeds as random.

    Args:
        study_pooled: The pooled predictions of each model.
        evaluation: The confidence of the intervals.
        splitting: What is held together.
        manifest: The compared images.
        seed: Random seed for the interval if the study has one seed.

    Returns:
        One row per pair, in the format of ``leukoscope.study.pairs``, with the fingerprints of the images, ``data``,
        and of their division, ``splitting``, and the ``confidence``.
    """
    from leukoscope.evaluation.confirmation import fingerprint_splitting
    from leukoscope.images.manifest import fingerprint_manifest
    from leukoscope.study import pairs

    table = pairs.compare(study_pooled, evaluation.confidence, seed)
    if study_pooled and table["seeds"].eq(1).any():
        logger.warning("With one seed nothing can be said of other seeds: see which differences remain with three")
    held = fingerprint_splitting(splitting.facts)
    return table.assign(data=fingerprint_manifest(manifest), splitting=held, confidence=evaluation.confidence)


def gather_study(
    study: pd.DataFrame,
    study_units: pd.DataFrame,
    study_differences: pd.DataFrame,
    study_pooled: dict[str, pd.DataFrame],
    study_histories: pd.DataFrame,
) -> Any:
    """Collect all results of a study.

    Args:
        study: One row per model.
        study_units: One row per unit.
        study_differences: One row per pair.
        study_pooled: The pooled predictions of each model.
        study_histories: The epochs of all units.
    """
    from leukoscope.reporting.study import Tables

    return Tables(study, study_units, study_differences, study_pooled, study_histories)


def write_study(
    study_tables: Any,
    evaluations: list[dict[str, Any]],
    manifest: pd.DataFrame,
    page_frame: Frame,
    models: dict[str, Any],
    evaluation: EvaluationOptions,
    class_names: list[str],
) -> str:
    """Write the page of the study.

    Args:
        study_tables: All results of the study.
        evaluations: All evaluations ever made, for the count of looks.
        manifest: All images.
        page_frame: The head of the page.
        models: All entries, for their titles.
        evaluation: The confidence of the intervals.
        class_names: The classes in order.
    """
    from leukoscope.reporting import study as page

    titles = {name: ModelOptions.model_validate(models[name]).title for name in study_tables.models["model"]}
    return page.render_study(
        study_tables, titles, evaluations, manifest, page_frame, class_names, evaluation.confidence
    )


def require_finished(study_units: pd.DataFrame, study_page: str) -> str:
    """Raise an error if a unit failed, after all others ran and the page is written.

    Args:
        study_units: One row per unit.
        study_page: The page, an input so that it is written first.

    Returns:
        A sentence stating that all units finished.

    Raises:
        InputError: A unit failed.
    """
    failed = study_units[study_units["state"] == FAILED]
    if len(failed):
        named = "; ".join(
            f"{row.model}, fold {row.fold} of {row.folds}, seed {row.seed}: {str(row.reason).rstrip('.')}"
            for row in failed.head(3).itertuples()
        )
        more = f"; and {len(failed) - 3} more, which study_units.csv has" if len(failed) > 3 else ""
        raise InputError(
            f"{len(failed)} of {count_of(len(study_units), 'unit')} failed, and all others ran: {named}{more}. "
            f"Mend the cause; the same command runs these alone."
        )
    return f"The study is finished, all of {count_of(len(study_units), 'unit')}."
