"""The results of a search: its trials as a table, and the best trials as entries of the configuration."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leukoscope.core.commands import name_configuration, name_run
from leukoscope.study.objectives import OBJECTIVES
from leukoscope.study.search import SearchPlan
from leukoscope.study.space import nest

if TYPE_CHECKING:
    import optuna

FINISHED = "finished"
PRUNED = "pruned"
FAILED = "failed"
RUNNING = "running"
_STATES = {"COMPLETE": FINISHED, "PRUNED": PRUNED, "FAIL": FAILED, "RUNNING": RUNNING, "WAITING": RUNNING}
# Fields that identify an entry and cannot be shared with another entry.
_NAMES = ("name", "label", "published", "default")
_PARTS = ("training", "augmentation")
# Fewest finished trials from which the importance of parameters can be estimated.
_FEWEST = 3


def tabulate(study: "optuna.Study", plan: SearchPlan) -> pd.DataFrame:
    """Tabulate the trials of a search.

    Args:
        study: The Optuna study.
        plan: The plan of the search.

    Returns:
        ``trial, state, reason``, whether it is one of the ``best``, a column for each of ``OBJECTIVES``, those of the
        search first, a column for each parameter, ``epochs``, ``seconds`` and ``run``, the training's folder.
    """
    best = {trial.number for trial in study.best_trials}
    figures = [*plan.objectives, *(name for name in OBJECTIVES if name not in plan.objectives)]
    rows = []
    columns = ["trial", "state", "reason", "best", *figures, *plan.space, "epochs", "seconds", "run"]
    for trial in study.get_trials(deepcopy=False):
        facts = trial.user_attrs
        scores = trial.user_attrs.get("scores", {})
        row: dict[str, Any] = {"trial": trial.number + 1, "state": _STATES[trial.state.name]}
        row |= {"reason": facts.get("reason", ""), "best": trial.number in best}
        row |= {name: scores.get(name, np.nan) for name in figures}
        row |= {name: trial.params.get(name) for name in plan.space}
        epochs = facts.get("epochs", len(trial.intermediate_values) or np.nan)
        rows.append(row | {"epochs": epochs, "seconds": facts.get("seconds", np.nan), "run": facts.get("run", "")})
    return pd.DataFrame(rows, columns=columns)


def weigh_parameters(study: "optuna.Study") -> dict[str, float]:
    """Compute the share of the first objective's variance that each parameter explains, by functional ANOVA.

    Args:
        study: The Optuna study.

    Returns:
        The share of each parameter, summing to 1; empty if fewer than three trials finished or all results are equal.
    """
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(ended) < _FEWEST or len({trial.values[0] for trial in ended}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluator = FanovaImportanceEvaluator(seed=0)
        return dict(get_param_importances(study, evaluator=evaluator, target=lambda trial: trial.values[0]))


def name_best(study: "optuna.Study", plan: SearchPlan) -> dict[str, dict[str, Any]]:
    """Return the parameters of the best trials by entry name: ``<entry>_tuned``, or several with their numbers."""
    ended = study.best_trials
    if len(ended) == 1 or len(plan.objectives) == 1:
        return {f"{plan.entry}_tuned": trial.params for trial in ended[:1]}
    return {f"{plan.entry}_tuned_{trial.number + 1}": trial.params for trial in ended}


def write_best(study: "optuna.Study", plan: SearchPlan, entry: Mapping[str, Any]) -> str:
    """Write the best trials as entries of the configuration.

    Args:
        study: The Optuna study.
        plan: The plan of the search.
        entry: The model's entry in the configuration.

    Returns:
        YAML for ``conf/local``; without an entry if no trial finished.
    """
    import yaml

    named = name_best(study, plan)
    if not named:
        return f"# No trial of the search of {plan.entry} has finished.\n"
    base = {name: value for name, value in entry.items() if name not in (*_NAMES, *_PARTS)}
    models = {}
    for name, values in named.items():
        drawn = nest(values)
        parts = {part: entry.get(part, {}) | drawn.get(part, {}) for part in _PARTS if part in {*entry, *drawn}}
        models[name] = base | {"default": False} | parts
    numbers = ", ".join(str(trial.number + 1) for trial in study.best_trials[: len(named)])
    which = f"trial {numbers}" if len(named) == 1 else f"the trials {numbers}"
    head = (
        f"# Found by the search of {plan.entry}: {which} of {len(study.get_trials(deepcopy=False))}, by "
        f"{' and '.join(plan.objectives)}.\n# As {name_configuration('search_best')} it is trained by "
        f"`{name_run(f'train_{next(iter(named))}')}`.\n"
    )
    return head + yaml.safe_dump({"models": models}, sort_keys=False, allow_unicode=True)
