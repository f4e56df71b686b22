"""Which differences between single trainings are confirmed by a study with the same recipes and images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.evaluation.folds import describe_training

_NOT_RECORDED = " (not recorded)"
_RECIPE = "the recipe of "
# Replaces a recipe's fingerprint when the study searched it anew in each fold: no single training has that recipe.
SEARCHED = "searched"
_SEARCHED = " (searched anew in each fold of the study)"
_OTHER = "no longer the same:"
_UNKNOWN = "not recorded:"


@dataclass(frozen=True)
class Setting:
    """The conditions of a comparison; a study must share them to confirm a difference.

    Attributes:
        data: Fingerprint of all images.
        splitting: Fingerprint of the grouping, from ``fingerprint_splitting``.
        confidence: Confidence level of the tests, ``evaluation.confidence``.
        recipes: For each model the fingerprint of its recipe; ``None`` if it was not recorded.
    """

    data: str | None
    splitting: str | None
    confidence: float
    recipes: Mapping[str, str | None] = field(default_factory=dict)


def fingerprint_recipe(key: Mapping[str, Any]) -> str:
    """Hash how a model was trained, ignoring seed, split and machine.

    Args:
        key: The training's key.
    """
    return fingerprint_facts({name: value for name, value in describe_training(key).items() if name != "seed"})


def fingerprint_splitting(facts: Mapping[str, Any]) -> str:
    """Hash how images were divided, ignoring which fold is the test fold.

    Args:
        facts: The ``splitting`` parameters.
    """
    return fingerprint_facts({name: value for name, value in facts.items() if name != "fold"})


def find_changes(pair: Mapping[str, Any], setting: Setting) -> list[str]:
    """List the conditions that have changed since a study, or were not recorded in it or now.

    Args:
        pair: A row of the study: ``first, second, data, splitting, confidence, first_recipe, second_recipe``; a file of
            an earlier version lacks some of these.
        setting: The conditions of the present comparison.
    """
    facts = [
        ("the images", pair.get("data"), setting.data),
        ("splitting", pair.get("splitting"), setting.splitting),
        ("evaluation.confidence", pair.get("confidence"), setting.confidence),
    ]
    facts += [
        (f"{_RECIPE}{pair[end]}", pair.get(f"{end}_recipe"), setting.recipes.get(pair[end]))
        for end in ("first", "second")
    ]
    return [
        name + (_SEARCHED if before == SEARCHED else _NOT_RECORDED if pd.isna(before) or pd.isna(now) else "")
        for name, before, now in facts
        if pd.isna(before) or before != now
    ]


def confirm(differences: pd.DataFrame, study: pd.DataFrame | None, setting: Setting) -> pd.DataFrame:
    """Mark which differences between single trainings a study has shown to be real.

    Args:
        differences: One row per pair, ``first, second, difference, shown``.
        study: One row per pair, from ``compare_over_seeds``, with the columns that ``find_changes`` needs; ``None``
            without a study.
        setting: The conditions under which the trainings are compared.

    Returns:
        ``differences`` with ``real``: shown here, and real in the study in the same direction; and ``changed``: the
        changed conditions of a study that had the pair, separated by commas; empty if nothing changed or there is no
        study.
    """
    pairs = [] if study is None else study.to_dict("records")
    known = {frozenset((pair["first"], pair["second"])): pair for pair in pairs}
    real = []
    changed = []
    for row in differences.itertuples():
        pair = known.get(frozenset((row.first, row.second)))
        changes = find_changes(pair, setting) if pair else []
        same_way = pair is not None and _turn(pair, row.first) * row.difference > 0
        real.append(bool(row.shown and pair and pair["real"] and same_way and not changes))
        changed.append(", ".join(changes))
    return differences.assign(real=np.array(real, bool), changed=pd.Series(changed, differences.index, dtype=object))


def _turn(pair: Mapping[str, Any], first: str) -> float:
    return float(pair["difference"] if pair["first"] == first else -pair["difference"])


def explain_changes(changed: Iterable[Any]) -> str:
    """Explain in a sentence why the last study cannot confirm differences; empty if it can, or there is none.

    Args:
        changed: The column ``changed`` from ``confirm``, one value per pair, or NaN where a file had nothing.
    """
    named = sorted({name for names in changed if isinstance(names, str) and names for name in names.split(", ")})
    if not named:
        return ""
    unknown = [name.removesuffix(_NOT_RECORDED) for name in named if name.endswith(_NOT_RECORDED)]
    other = [name for name in named if not name.endswith(_NOT_RECORDED)]
    why = [f"{words} {', '.join(names)}" for words, names in ((_OTHER, other), (_UNKNOWN, unknown)) if names]
    models = [name.removeprefix(_RECIPE) for name in unknown if name.startswith(_RECIPE)]
    mend = f", or first `{name_run(','.join(f'train_{name}' for name in models))}`" if models else ""
    return (
        f"The last study does not say which differences are real here ({'; '.join(why)}): run `{name_run('study')}` "
        f"again{mend}; what is trained already is not trained again."
    )
