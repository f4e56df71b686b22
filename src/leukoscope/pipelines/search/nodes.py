"""Search a model's hyperparameters on validation images."""

import time
from collections.abc import Iterator
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.search.options import SearchOptions
from leukoscope.pipelines.search.planning import Setting
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.study.nodes import list_nodes
from leukoscope.reporting.frame import Frame
from leukoscope.study.search import SearchPlan, Study
from leukoscope.study.trials import TrialLedger


def score_validation(
    classifier: Classifier,
    smears: PackedImages,
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Predict the validation images only, and score them by all objectives.

    Args:
        classifier: A trained classifier.
        smears: The packed images.
        splits: Which images are in the validation split, and their true classes.
        class_names: The classes in order.
        options: The batch size.
        splitting: Whether the groups of images are series.
        seed: Random seed for the appearance clusters.

    Returns:
        The ``scores`` and the fingerprint of the scored ``model``.

    Raises:
        InputError: The classifier was trained on other splits.
    """
    from leukoscope.core.fingerprint import fingerprint_table
    from leukoscope.features.colour import cluster_appearance, count_colours
    from leukoscope.images.perturbations import PERTURBATIONS, perturb
    from leukoscope.study import objectives

    if classifier.trained_on != fingerprint_table(splits):
        raise InputError(
            "The trained model saw other splits than the present ones, so that validation images may be among those "
            "that it learned from. Train it again, or restore the splits (seed and splitting parameters)."
        )
    validation = splits[splits["split"] == "validation"]
    rows = smears.rows(validation["image_id"])
    pixels = smears.pixels[rows]
    classifier.predict(pixels[: options.batch_size], None, options.batch_size)  # compile first, outside of the timing
    began = time.perf_counter()
    probabilities = classifier.predict(pixels, None, options.batch_size).probabilities
    seconds = time.perf_counter() - began
    grey = classifier.predict(perturb(pixels, PERTURBATIONS["grey"], 1.0, seed), None, options.batch_size).probabilities
    number = objectives.choose_clusters(len(rows))
    clusters = cluster_appearance(count_colours(smears.pixels, rows), number, seed)
    series = pd.factorize(validation["group"])[0] if splitting.group_by == "series" else None
    truth = pd.Index(class_names).get_indexer(validation["label"])
    return {
        "model": classifier.fingerprint,
        "scores": objectives.score(truth, probabilities, grey, clusters, series, seconds),
    }


def run_trials(
    search_plan: SearchPlan,
    search_ledger: TrialLedger,
    search: SearchOptions,
    search_setting: Setting,
    manifest: pd.DataFrame,
    page_frame: Frame,
    smears: PackedImages,
) -> Iterator[tuple[Study, str]]:
    """Train and score trials, each in its own process, until the wanted number has ended.

    Args:
        search_plan: The plan of the search.
        search_ledger: The ledger of the trainings.
        search: Where trials are stored.
        search_setting: The setting, with the entry.
        manifest: All images.
        page_frame: The head of the page.
        smears: The packed images, which all trials use.

    Yields:
        The Optuna study and the page of the search, before the first trial and after each one, so that an interrupted
        search has a page too.
    """
    from leukoscope.core.session import get_run, get_session
    from leukoscope.study.search import run_search
    from leukoscope.study.trials import TrialProcesses

    entry = search_plan.entry
    pipelines = f"train_{entry},validation"
    place = TrialProcesses(list_trial_nodes(entry), pipelines, get_session(), search_ledger, get_run())
    for study in run_search(search_plan, search_ledger, place, search.storage):
        yield study, write_search(study, search_plan, search_setting, manifest, page_frame)


def write_search(study: Study, plan: SearchPlan, setting: Setting, manifest: pd.DataFrame, page_frame: Frame) -> str:
    """Write the page of a search.

    Args:
        study: All trials so far.
        plan: The plan of the search.
        setting: The setting, with the entry.
        manifest: All images.
        page_frame: The head of the page.
    """
    from leukoscope.reporting import search as page
    from leukoscope.study import found

    shares = found.weigh_parameters(study)
    so_far = page.Found(found.tabulate(study, plan), found.name_best(study, plan), shares)
    return page.render_search(plan, so_far, setting.model.title, manifest, page_frame)


def list_trial_nodes(entry: str) -> list[str]:
    """List the nodes of a trial, from the packed images to the validation scores.

    Args:
        entry: The model's name.
    """
    return [*list_nodes(entry, "train_classifier"), f"{entry}.score_validation"]


def tabulate_trials(search_trials: Study, search_plan: SearchPlan) -> pd.DataFrame:
    """Tabulate the trials.

    Args:
        search_trials: The Optuna study with all trials.
        search_plan: The plan of the search.

    Returns:
        One row per trial, in the format of ``leukoscope.study.found``.
    """
    from leukoscope.study import found

    return found.tabulate(search_trials, search_plan)


def choose_best(search_trials: Study, search_plan: SearchPlan, search_setting: Setting) -> str:
    """Write the best trial as a configuration entry; with several objectives, the trials on the Pareto front.

    Args:
        search_trials: The Optuna study with all trials.
        search_plan: The plan of the search.
        search_setting: The setting, with the entry.
    """
    from leukoscope.study import found

    entry = search_setting.model.model_dump(mode="json", exclude_unset=True, exclude_none=False)
    return found.write_best(search_trials, search_plan, entry)


def draw_search(search_trials: pd.DataFrame, search_study: Study, search_plan: SearchPlan) -> tuple[Figure, Figure]:
    """Plot the values of all trials in order, or the Pareto front; and the importance of the parameters.

    Args:
        search_trials: One row per trial.
        search_study: The Optuna study with all trials.
        search_plan: The plan of the search.
    """
    from leukoscope.figures import search as figures
    from leukoscope.study import found

    history = figures.draw_history(search_trials, search_plan.objectives)
    return history, figures.draw_importance(found.weigh_parameters(search_study), search_plan.objectives[0])


def require_ended(search_trials: pd.DataFrame, search_best: str) -> str:
    """Raise an error if no trial finished, after the tables are written.

    Args:
        search_trials: One row per trial.
        search_best: The best entry, an input so that it is written first.

    Raises:
        InputError: No trial finished.
    """
    from leukoscope.study.found import FAILED, FINISHED

    states = search_trials["state"]
    if not (states == FINISHED).any():
        reasons = search_trials.loc[states == FAILED, "reason"]
        why = f": {str(reasons.iloc[-1]).rstrip('.')}" if len(reasons) else ", and all were pruned"
        raise InputError(
            f"No trial of {len(search_trials)} finished{why}. Mend the cause, or change search.space or search.pruner; "
            f"with more search.trials the search goes on."
        )
    return f"{(states == FINISHED).sum()} of {len(search_trials)} trials finished."
