"""What an earlier version called parameters, columns and values: still read, with a warning, and never written."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from leukoscope.core.fingerprint import fingerprint_facts

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

# By the name of the table of parameters in which they stand.
_PARAMETERS = {"reader": {"backbone": "model"}}
# Columns of tables, and entries of JSON objects.
_COLUMNS = {"backbone": "model", "novelty": "ood_score"}
# Where `backbone` was a model's name, `model` was its fingerprint.
_BESIDE_BACKBONE = {"model": "model_fingerprint"}
# Of what is sealed, which is the calibration.
_SEALED = {"novelty": "ood_limit"}
OPINIONS = {"withheld": "abstained"}


def rename_parameters(parameters: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Give parameters the names of today.

    Args:
        parameters: All of them, as they were read.
        given: Those that ``--params`` sets, which win; they are renamed in place.

    Returns:
        All parameters, renamed.
    """
    current = dict(parameters)
    for table, names in _PARAMETERS.items():
        for old, new in names.items():
            if isinstance(current.get(table), dict) and old in current[table]:
                current[table] = _rename_parameter(current[table], given.get(table), old, new)
                logger.warning(
                    "%s.%s is called %s.%s now, which the next version will insist on", table, old, table, new
                )
    return current


def _rename_parameter(values: Mapping[str, Any], given: Any, old: str, new: str) -> dict[str, Any]:
    """Let an old name's value stand for that of the new one, unless the command line sets the new one."""
    renamed = dict(values)
    value = renamed.pop(old)
    given = given if isinstance(given, dict) else {}
    if old in given:
        given.setdefault(new, given.pop(old))
    elif new in given:
        return renamed
    return renamed | {new: given.get(new, value)}


def find_old_names(names: Iterable[str]) -> dict[str, str]:
    """Say which of the names of columns are old, and what they are now."""
    there = set(names)
    known = _COLUMNS | (_BESIDE_BACKBONE if "backbone" in there else {})
    return {old: new for old, new in known.items() if old in there}


def read_tag(tags: Mapping[str, str], name: str) -> str | None:
    """Read a tag of MLflow that may still have its old name."""
    old_names = {new: old for old, new in _COLUMNS.items()}
    return tags.get(name, tags.get(old_names.get(name, name)))


def rename_columns(table: "pd.DataFrame", source: PurePath | str) -> "pd.DataFrame":
    """Give a table's columns and opinions the names of today.

    Args:
        table: As it was read.
        source: Where from, for the warning.

    Returns:
        The same table where nothing in it has an old name.
    """
    renamed = find_old_names(table.columns)
    current = table.rename(columns=renamed) if renamed else table
    if "opinion" in current and current["opinion"].isin(list(OPINIONS)).any():
        current = current.assign(opinion=current["opinion"].replace(OPINIONS))
        renamed |= OPINIONS
    _warn_of_file(source, renamed)
    return current


def rename_entries(facts: Any, source: PurePath | str) -> Any:
    """Give the objects in what was read from JSON the names of today; what was sealed is sealed anew.

    Args:
        facts: As they were read.
        source: Where from, for the warning.
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
    renamed.update(names)
    return {names.get(name, name): _rename_within(item, renamed) for name, item in value.items()}


def _rename_sealed(facts: dict[str, Any], renamed: dict[str, str]) -> dict[str, Any]:
    """Rename what fits its seal; what was edited by hand stays as it is, and is refused."""
    values = {name: value for name, value in facts.items() if name != "seal"}
    names = {old: new for old, new in _SEALED.items() if old in values}
    if not names or fingerprint_facts(values) != facts["seal"]:
        return facts
    renamed.update(names)
    current = {names.get(name, name): value for name, value in values.items()}
    return current | {"seal": fingerprint_facts(current)}


def _warn_of_file(source: PurePath | str, renamed: Mapping[str, str]) -> None:
    if renamed:
        said = ", ".join(f"{old} is read as {new}" for old, new in renamed.items())
        logger.warning("An earlier version wrote %s: %s, which the next version will no longer do", source, said)
