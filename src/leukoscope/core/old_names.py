"""Names of parameters, columns and values in an earlier version: still read, with a warning, but never written."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from leukoscope.core.fingerprint import fingerprint_facts

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

# By the name of the parameter table that contains them.
_PARAMETERS = {"reader": {"backbone": "model"}, "splitting": {"looks": "appearance_clusters"}}
_PROTOCOLS = {"look": "appearance"}
# Columns of tables, and entries of JSON objects.
_COLUMNS = {"backbone": "model", "novelty": "ood_score"}
# Where `backbone` was a model's name, `model` was its fingerprint.
_BESIDE_BACKBONE = {"model": "model_fingerprint"}
# Entries of sealed objects, that is, of calibrations.
_SEALED = {"novelty": "ood_limit"}
OPINIONS = {"withheld": "abstained"}
# By the column or entry that contains them.
_VALUES = {"opinion": OPINIONS, "group_by": _PROTOCOLS, "protocol": _PROTOCOLS}


def rename_parameters(parameters: Mapping[str, Any], runtime_params: dict[str, Any]) -> dict[str, Any]:
    """Rename old parameters and values to their current names.

    Args:
        parameters: All parameters, as read.
        runtime_params: The parameters set by ``--params``, which take precedence; they are renamed in place.

    Returns:
        All parameters, renamed.
    """
    current = dict(parameters)
    for table, names in _PARAMETERS.items():
        values = current.get(table)
        there = [name for name in names if isinstance(values, dict) and name in values]
        for old in there:
            current[table] = _rename_parameter(current[table], runtime_params.get(table), old, names[old])
            _warn_of_parameter(f"{table}.{old}", f"{table}.{names[old]}")
    if isinstance(current.get("splitting"), dict):
        current["splitting"] = _rename_grouping(current["splitting"], runtime_params.get("splitting"))
    return current


def _rename_grouping(splitting: dict[str, Any], runtime_params: Any) -> dict[str, Any]:
    old = splitting.get("group_by")
    if not isinstance(old, str) or old not in _PROTOCOLS:
        return splitting
    new = _PROTOCOLS[old]
    if isinstance(runtime_params, dict) and "group_by" in runtime_params:
        runtime_params["group_by"] = new
    _warn_of_parameter(f"splitting.group_by={old}", f"splitting.group_by={new}")
    return splitting | {"group_by": new}


def _warn_of_parameter(old: str, new: str) -> None:
    logger.warning("%s is called %s now, which the next version will insist on", old, new)


def _rename_parameter(values: Mapping[str, Any], runtime_params: Any, old: str, new: str) -> dict[str, Any]:
    """Move an old name's value to the new name, unless it is null or the command line sets the new name."""
    renamed = dict(values)
    old_value = renamed.pop(old)
    value = renamed.get(new) if old_value is None else old_value
    runtime_params = runtime_params if isinstance(runtime_params, dict) else {}
    if old in runtime_params:
        runtime_params.setdefault(new, runtime_params.pop(old))
    return renamed | {new: runtime_params.get(new, value)}


def find_old_names(names: Iterable[str]) -> dict[str, str]:
    """Map those column names that are old to their current names."""
    there = set(names)
    known = _COLUMNS | (_BESIDE_BACKBONE if "backbone" in there else {})
    return {old: new for old, new in known.items() if old in there}


def read_tag(tags: Mapping[str, str], name: str) -> str | None:
    """Read an MLflow tag that may still have its old name."""
    old_names = {new: old for old, new in _COLUMNS.items()}
    return tags.get(name, tags.get(old_names.get(name, name)))


def rename_columns(table: "pd.DataFrame", source: PurePath | str) -> "pd.DataFrame":
    """Rename a table's old columns and values to their current names.

    Args:
        table: The table, as read.
        source: Where it was read from, for the warning.

    Returns:
        The renamed table; the same table if it has no old names.
    """
    renamed = find_old_names(table.columns)
    current = table.rename(columns=renamed) if renamed else table
    for name, values in _VALUES.items():
        if name in current and current[name].isin(list(values)).any():
            current = current.assign(**{name: current[name].replace(values)})
            renamed |= values
    _warn_of_file(source, renamed)
    return current


def rename_entries(facts: Any, source: PurePath | str) -> Any:
    """Rename old entries of objects read from JSON to their current names; sealed objects are sealed again.

    Args:
        facts: The facts, as read.
        source: Where they were read from, for the warning.
    """
    renamed: dict[str, str] = {}
    current = _rename_within(facts, renamed)
    _warn_of_file(source, renamed)
    return current


def _rename_within(value: Any, renamed: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_rename_within(item, renamed) for item in value]
    if not isinstance(value, dict):
        return value
    if "seal" in value:
        return _rename_sealed(value, renamed)
    names = find_old_names(value) if isinstance(value.get("backbone"), str) else {}
    if "group_by" in value:
        names |= {name: new for name, new in _PARAMETERS["splitting"].items() if name in value}
    renamed.update(names)
    current = {names.get(name, name): _rename_within(item, renamed) for name, item in value.items()}
    protocol = current.get("group_by")
    if isinstance(protocol, str) and protocol in _PROTOCOLS:
        renamed[protocol] = current["group_by"] = _PROTOCOLS[protocol]
    return current


def _rename_sealed(facts: dict[str, Any], renamed: dict[str, str]) -> dict[str, Any]:
    """Rename entries of a sealed object if the seal is valid; objects edited by hand stay unchanged, to be refused."""
    values = {name: value for name, value in facts.items() if name != "seal"}
    names = {old: new for old, new in _SEALED.items() if old in values}
    if not names or fingerprint_facts(values) != facts["seal"]:
        return facts
    renamed.update(names)
    current = {names.get(name, name): value for name, value in values.items()}
    return current | {"seal": fingerprint_facts(current)}


def _warn_of_file(source: PurePath | str, renamed: Mapping[str, str]) -> None:
    if renamed:
        renamings = ", ".join(f"{old} is read as {new}" for old, new in renamed.items())
        logger.warning("An earlier version wrote %s: %s, which the next version will no longer do", source, renamings)
