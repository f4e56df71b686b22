"""Collect the folds of every model, pool their test images, and measure how much the folds differ."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.evaluation import folds as folding
from leukoscope.evaluation.folds import FoldSet
from leukoscope.evaluation.records import EvaluationRecord
from leukoscope.figures import Figure
from leukoscope.pipelines.cross_validation.options import CrossValidationOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions

logger = logging.getLogger(__name__)


def select_folds(
    runs: dict[str, list[EvaluationRecord]],
    options: CrossValidationOptions,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, FoldSet]:
    """Select the newest complete set of folds of each model.

    Args:
        runs: All evaluated trainings of each model.
        options: Which models.
        splitting: The current parameters; suggested commands name those that differed.
        seed: The current seed, for the same purpose.

    Returns:
        One set per model that was trained on folds.

    Raises:
        InputError: A model has folds but no complete set, or no model has folds.
    """
    chosen = {}
    incomplete = []
    runs = folding.describe_members(runs)
    for name in options.models or runs:
        sets = folding.list_sets(name, runs[name])
        complete = next((same for same in sets if not same.missing), None)
        if complete is not None:
            chosen[name] = complete
            _warn_of_newer(sets, sets.index(complete), splitting, seed)
        elif sets or options.models:
            incomplete.append(_explain(name, sets, splitting, seed))
    if incomplete or not chosen:
        if chosen:
            others = {"cross_validation.models": "|".join(chosen)}
            incomplete.append(f"Or gather the others only: `{name_run('cross_validation', others)}`.")
        raise InputError(" ".join(incomplete or [_explain_nothing(runs)]))
    return chosen


def _warn_of_newer(sets: list[FoldSet], chosen: int, splitting: SplittingOptions, seed: int) -> None:
    for place, newer in enumerate(sets[:chosen]):
        others = [same for number, same in enumerate(sets) if number != place]
        why = _explain(newer.name, [newer, *others], splitting, seed)
        logger.warning("%s An older set of folds is whole, and is used", why)


def _explain(name: str, sets: list[FoldSet], splitting: SplittingOptions, seed: int) -> str:
    """Explain which folds of a model are missing, why others do not count, and which commands train them."""
    if not sets:
        command = name_run(f"train_{name}", {"splitting.fold": "1 of 5"})
        return f"{name} was trained on no fold. Run `{command}`, and so on for each fold."
    newest = sets[0]
    different = folding.explain_differences(newest, sets[1:])
    reasons = [f"fold {number} has another {', '.join(names)}" for number, names in different.items()]
    why = f" ({'; '.join(reasons)})" if reasons else ""
    commands = [f"`{_name_command(newest, number, splitting, seed)}`" for number in newest.missing]
    folds = ", ".join(map(str, newest.missing))
    return (
        f"Of {newest.count} folds of {name}, there is no evaluation of {folds} by the same recipe, seed and images"
        f"{why}. Run {' and '.join(commands)}, with the parameters of the others."
    )


def _name_command(same: FoldSet, number: int, splitting: SplittingOptions, seed: int) -> str:
    """Name the command that trains a fold, setting what differs between the other folds and the parameters."""
    present = splitting.facts
    theirs = same.facts["splitting"]
    differing = [name for name in present | theirs if theirs.get(name) != present.get(name)]
    others = {f"splitting.{name}": "null" if theirs.get(name) is None else theirs[name] for name in differing}
    parameters = others | {"splitting.fold": f"{number} of {same.count}"}
    parameters |= {"seed": same.facts["seed"]} if same.facts["seed"] != seed else {}
    return name_run(f"train_{same.name}", parameters)


def _explain_nothing(runs: Mapping[str, Any]) -> str:
    name = next(iter(runs))
    command = name_run(f"train_{name}", {"splitting.fold": "1 of 5"})
    return (
        f"No model was trained on folds, so that there is nothing to gather. Run `{command}`, and so on for each fold."
    )


def pool_folds(folds: dict[str, FoldSet]) -> dict[str, pd.DataFrame]:
    """Pool each model's predictions of all test images in one table.

    Args:
        folds: One complete set per model.

    Returns:
        One table per model, as returned by ``FoldSet.pool``.

    Raises:
        InputError: An image is in two test sets, or in none of them.
    """
    return {name: same.pool() for name, same in folds.items()}


def tabulate_folds(folds: dict[str, FoldSet]) -> pd.DataFrame:
    """Tabulate the metrics of each fold.

    Args:
        folds: One complete set per model.

    Returns:
        ``model, fold, images, groups, accuracy, balanced_accuracy, macro_f1, auc``, one row per model and fold.
    """
    return pd.concat([folding.tabulate_folds(same) for same in folds.values()], ignore_index=True)


def judge_folds(
    folds: dict[str, FoldSet], fold_figures: pd.DataFrame, evaluation: EvaluationOptions, seed: int
) -> pd.DataFrame:
    """Score the pooled predictions of each model, with intervals by group, and the spread between its folds.

    Args:
        folds: One complete set per model.
        fold_figures: One row per model and fold.
        evaluation: How the intervals are computed.
        seed: Random seed for resampling.

    Returns:
        One row per model: ``model, folds, images, groups, error_groups``, each metric with ``_low`` and ``_high``, its
        spread ``_fold_mean``, ``_fold_sd``, ``_fold_min``, ``_fold_max``, the columns of ``judge_against_colour``, and
        ``seed, group_by, data, trainings``.
    """
    from leukoscope.evaluation.scoring import Scoring

    rows = []
    for name, same in folds.items():
        scoring = Scoring(same.facts["class_names"], evaluation.benign_class, evaluation.prevalence)
        pooled = same.pool()
        figures = folding.judge_pooled(pooled, scoring, evaluation.resamples, evaluation.confidence, seed)
        figures |= folding.judge_against_colour(pooled, evaluation.confidence, seed)
        spread = folding.describe_spread(fold_figures[fold_figures["model"] == name])
        provenance = {"seed": same.facts["seed"], "group_by": same.facts["splitting"]["group_by"]}
        places = " ".join(record.place for _, record in sorted(same.records.items()))
        provenance |= {"data": same.facts["data"], "trainings": places}
        rows.append({"model": name, "folds": same.count} | figures | spread | provenance)
        logger.info("%s", _say(rows[-1]))
    return pd.DataFrame(rows)


def _say(row: Mapping[str, Any]) -> str:
    ends = f" ({row['accuracy_low']:.3f} to {row['accuracy_high']:.3f})" if pd.notna(row["accuracy_low"]) else ""
    return (
        f"{row['model']}, {row['folds']} folds pooled: accuracy {row['accuracy']:.3f}{ends} on "
        f"{row['images']:.0f} images of {row['groups']:.0f} groups; single folds {row['accuracy_fold_min']:.3f} to "
        f"{row['accuracy_fold_max']:.3f}, standard deviation {row['accuracy_fold_sd']:.3f}. {_say_gain(row)}"
    )


def _say_gain(row: Mapping[str, Any]) -> str:
    if pd.isna(row["colour_accuracy"]):
        return "What stain colour alone reaches on these images is not known of every fold: run each fold again"
    words = f"Stain colour alone, on the same images: {row['colour_accuracy']:.3f}"
    if pd.isna(row["gain_over_colour_low"]):
        return words
    ends = f"{row['gain_over_colour_low']:.3f} to {row['gain_over_colour_high']:.3f}"
    return f"{words}; the difference is {row['gain_over_colour']:.3f} ({ends})"


def draw_folds(cross_validation: pd.DataFrame, fold_figures: pd.DataFrame) -> Figure:
    """Plot each fold as a point, and the pooled metrics with their intervals.

    Args:
        cross_validation: One row per model.
        fold_figures: One row per model and fold.
    """
    from leukoscope.figures import folds

    return folds.draw_folds(cross_validation, fold_figures)
