"""Checks across the parameters of different pipelines."""

import reprlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from leukoscope.core.class_names import require_benign, require_class_names
from leukoscope.core.options import describe_faults, refuse_unknown_names
from leukoscope.evaluation.class_mapping import ClassMapping
from leukoscope.training.entry import ModelOptions
from leukoscope.training.options import EnsembleOptions, ViewsOptions
from leukoscope.training.recipe import Recipe

_SEEDS = 2**32  # the seeds of NumPy's older generators, which scikit-learn and Keras use


def check_parameters(parameters: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Check that the parameters of different pipelines agree.

    Args:
        parameters: All parameters, validated.
        given: The parameters set on the command line.

    Raises:
        InputError: A recipe changed on the command line does not fit its model.
        ValueError: Parameters contradict each other.
    """
    entries = parameters["models"]
    _require_titles(entries)
    _require_members(entries)
    _require_teachers(entries, parameters["training"])
    changed = {*given.get("models", {}), *given} & set(entries)
    for name in sorted(changed):  # shared parameters need only fit the models that are run
        require_recipe(entries[name], parameters["training"])
    reader = parameters["reader"].model
    if reader is not None:
        refuse_unknown_names([reader], entries, ", of which reader.model is one", "model")
    chosen = parameters["cross_validation"].models or ()
    refuse_unknown_names(chosen, entries, ", of which cross_validation.models are some", "model")
    if parameters["search"].entry is not None:
        refuse_unknown_names([parameters["search"].entry], entries, ", of which search.entry is one", "model")
    refuse_unknown_names(parameters["study"].entries, entries, ", of which study.entries are some", "model")
    seed = parameters["seed"]
    benign = parameters["evaluation"].benign_class
    classes = parameters["class_names"]
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < _SEEDS:
        raise ValueError(f"seed is {reprlib.repr(seed)}; it must be a whole number, 0 or more and below {_SEEDS}")
    require_class_names(classes)
    require_benign(benign, classes)
    refuse_unknown_names(parameters["ingestion"].expected_counts or {}, classes, " in ingestion.expected_counts")
    ClassMapping.resolve(parameters["external"].class_map, classes, benign)
    if "group_table" in given and parameters["splitting"].group_by != "table":
        raise ValueError("group_table is given and would not be used: give splitting.group_by=table too")


def require_recipe(entry: ModelOptions, shared: Recipe) -> None:
    """Check that a recipe fits its model.

    Raises:
        ValueError: The recipe contradicts itself.
    """
    try:
        entry.resolve(shared)
    except ValidationError as error:
        raise ValueError(describe_faults(error, f"models.{entry.name}.training")) from None


def _require_members(entries: Mapping[str, Any]) -> None:
    """Check that the members of other models are entries that can be members.

    Raises:
        ValueError: A member is not.
    """
    made = {name for name, entry in entries.items() if isinstance(entry, EnsembleOptions)}
    seen = {name for name, entry in entries.items() if isinstance(entry, ViewsOptions)}
    for name, entry in entries.items():
        if isinstance(entry, EnsembleOptions):
            allowed = [other for other in entries if other not in made | seen]
            where = f", of which models.{name}.members are some"
            _require_fit(entry.members, allowed, entries, where, "a vote has no votes and views as members")
        elif isinstance(entry, ViewsOptions):
            allowed = [other for other in entries if other not in seen]
            where = f", of which models.{name}.member is one"
            _require_fit([entry.member], allowed, entries, where, "it is of views itself")


def _require_teachers(entries: Mapping[str, Any], shared: Recipe) -> None:
    """Check that teachers are entries none of whose parts has a teacher itself.

    Raises:
        ValueError: A teacher is not.
    """
    if shared.distillation is not None:
        raise ValueError("training.distillation is of a model's entry: set models.NAME.training.distillation")
    taught = {name: entry.teacher for name, entry in entries.items() if entry.teacher is not None}
    others = [name for name in entries if taught.keys().isdisjoint(_list_parts(entries, name))]
    for name, teacher in taught.items():
        place = f", of which models.{name}.training.distillation.teacher is one"
        _require_fit([teacher], others, entries, place, "it, or a part of it, has a teacher")


def _require_fit(
    names: Iterable[str], allowed: Collection[str], entries: Collection[str], where: str, why: str
) -> None:
    """Refuse the first name of no entry, and the first of an entry that does not fit."""
    for name in names:
        if name in entries and name not in allowed:
            raise ValueError(f"the model '{name}'{where}, does not fit: {why}. Those that do are {', '.join(allowed)}")
    refuse_unknown_names(names, allowed, where, "model")


def _list_parts(entries: Mapping[str, Any], name: str) -> list[str]:
    """List an entry and all its parts, recursively; earlier checks ruled out cycles."""
    return [name, *(part for member in entries[name].parts for part in _list_parts(entries, member))]


def _require_titles(entries: Mapping[str, Any]) -> None:
    """Check that all models have different titles in figures and tables.

    Raises:
        ValueError: Two models have the same title.
    """
    titles: dict[str, str] = {}
    for name, entry in entries.items():
        other = titles.setdefault(entry.title, name)
        if other != name:
            raise ValueError(
                f"models.{name} and models.{other} are both called '{entry.title}' in figures and tables: give one of "
                f"them another label"
            )
