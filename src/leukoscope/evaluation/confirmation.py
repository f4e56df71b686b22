"""Which differences between single trainings a study confirms: one of the same recipes on the same images."""

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
# Stands for the fingerprint of a recipe that the study has searched anew in each fold: no one training has it.
SEARCHED = "searched"
_SEARCHED = " (searched anew in each fold of the study)"
_OTHER = "no longer the same:"
_UNKNOWN = "not recorded:"


@dataclass(frozen=True)
class Setting:
    """Under what models are compared, which must have been the same in a study that is to confirm a difference.

    Attributes:
        data: The fingerprint of all images.
        splitting: That of what is held together, as ``fingerprint_splitting`` has it.
        confidence: Of the tests, ``evaluation.confidence``.
        recipes: Of each model the fingerprint of how it was trained; ``None`` where that was not recorded.
    """

    data: str | None
    splitting: str | None
    confidence: float
    recipes: Mapping[str, str | None] = field(default_factory=dict)


def fingerprint_recipe(key: Mapping[str, Any]) -> str:
    """Hash how a model was trained, whatever the seed, the split and the machine.

    Args:
        key: Of its training.
    """
    return fingerprint_facts({name: value for name, value in describe_training(key).items() if name != "seed"})


def fingerprint_splitting(facts: Mapping[str, Any]) -> str:
    """Hash by what images were divided, whichever fold tests.

    Args:
        facts: The parameters ``splitting``.
    """
    return fingerprint_facts({name: value for name, value in facts.items() if name != "fold"})


def find_changes(pair: Mapping[str, Any], setting: Setting) -> list[str]:
    """Name what is another one now than it was in a study, or was not recorded there or here.

    Args:
        pair: Of the study: ``first, second, data, splitting, confidence, first_recipe, second_recipe``, of which a file
            of an earlier version has not all.
        setting: Under what models are compared now.
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
        differences: One row a pair, ``first, second, difference, shown``.
        study: One row a pair, as ``compare_over_seeds`` has it, with what ``find_changes`` takes; ``None`` where there
            was none.
        setting: Under what the trainings are compared.

    Returns:
        ``differences`` with ``real``: shown here, and real in the study in the same direction; and ``changed``: what
        of a study that had the pair does not hold now, with commas between, empty where nothing or no study is.
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
    """Say in a sentence why the last study does not tell what is real; empty where it does, or there was none.

    Args:
        changed: Of each pair, as ``confirm`` has it, or NaN where a file had nothing.
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
