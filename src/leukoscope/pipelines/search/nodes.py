"""Search the hyperparameters of a model, on validation images."""

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
    """Predict the validation images, and no others, and score them by all objectives.

    Args:
        classifier: A trained classifier.
        smears: The packed images.
        splits: Which images validate, and their true classes.
        class_names: The classes in order.
        options: The batch size.
        splitting: Whether the groups of images are series.
        seed: For the clusters of appearance.

    Returns:
        The ``scores``, and the fingerprint of the ``model`` whose they are.

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
    classifier.predict(pixels[: options.batch_size], None, options.batch_size)  # compiles, which is not timed
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
    """Train and score trials until as many have ended as are wanted, each in a process of its own.

    Args:
        search_plan: Of the search.
        search_ledger: Of the trainings.
        search: Where trials are kept.
        search_setting: With the entry.
        manifest: All images.
        page_frame: The head of the page.
        smears: The packed images, which all trials take.

    Returns:
        The study of Optuna's, and the page of the search: before the first trial and after each, so that there is a
        page of a search that is cut off, too.
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
        plan: Of the search.
        setting: With the entry.
        manifest: All images.
        page_frame: The head of the page.
    """
    from leukoscope.reporting import search as page
    from leukoscope.study import found

    shares = found.weigh_parameters(study)
    so_far = page.Found(found.tabulate(study, plan), found.name_best(study, plan), shares)
    return page.render_search(plan, so_far, setting.model.title, manifest, page_frame)


def list_trial_nodes(entry: str) -> list[str]:
    """Name the nodes of a trial: from the packed images to the scores of validation.

    Args:
        entry: The model's name.
    """
    return [*list_nodes(entry, "train_classifier"), f"{entry}.score_validation"]


def tabulate_trials(search_trials: Study, search_plan: SearchPlan) -> pd.DataFrame:
    """Tabulate the trials.

    Args:
        search_trials: All of them.
        search_plan: Of the search.

    Returns:
        One row per trial, as ``leukoscope.study.found`` has it.
    """
    from leukoscope.study import found

    return found.tabulate(search_trials, search_plan)


def choose_best(search_trials: Study, search_plan: SearchPlan, search_setting: Setting) -> str:
    """Write the best trial as an entry of the configuration; of several objectives, those of the Pareto front.

    Args:
        search_trials: All of them.
        search_plan: Of the search.
        search_setting: With the entry.
    """
    from leukoscope.study import found

    entry = search_setting.model.model_dump(mode="json", exclude_unset=True, exclude_none=False)
    return found.write_best(search_trials, search_plan, entry)


def draw_search(search_trials: pd.DataFrame, search_study: Study, search_plan: SearchPlan) -> tuple[Figure, Figure]:
    """Draw the values of all trials, one after another, or the Pareto front; and which parameters mattered.

    Args:
        search_trials: One row per trial.
        search_study: All of them, as Optuna has them.
        search_plan: Of the search.
    """
    from leukoscope.figures import search as figures
    from leukoscope.study import found

    history = figures.draw_history(search_trials, search_plan.objectives)
    return history, figures.draw_importance(found.weigh_parameters(search_study), search_plan.objectives[0])


def require_ended(search_trials: pd.DataFrame, search_best: str) -> str:
    """End the search with an error if no trial finished, once the tables are written.

    Args:
        search_trials: One row per trial.
        search_best: The best entry, which is written first.

    Raises:
        InputError: None did.
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
