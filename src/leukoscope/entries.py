"""The configured models: each entry is a pipeline, a namespace and a row of the comparison."""

import logging
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kedro.framework.project import pipelines, settings
from kedro.utils import find_kedro_project
from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError

from leukoscope.configuration import TellingConfigLoader
from leukoscope.core.commands import set_models
from leukoscope.core.errors import InputError, shorten
from leukoscope.core.stages import STAGES

logger = logging.getLogger(__name__)

# How the configuration is loaded, also without a session.
BASE_ENV = "base"
DEFAULT_ENV = "local"
MERGE_STRATEGY = {"parameters": "soft", "globals": "soft", "mlflow": "soft"}
_BOOLEAN = TypeAdapter(bool)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# With a suffix like `_features`, such a name would become that of another data set.
TAKEN = frozenset({"blind", "cell", "evaluated", "external"})
# Folders next to those of the models in data/06_models to data/08_reporting.
FOLDERS = frozenset({"architectures", "cross_validation", "engine", "explanations", "exports", "opinions", "reader"})
FOLDERS |= {"generator", "search", "study", "weights"}
_NO_MODELS = TAKEN | FOLDERS | STAGES


class Entry(NamedTuple):
    """The part of an entry that its pipeline depends on, as configured; it is validated later.

    Attributes:
        kind: The model's kind.
        members: The entries that it consists of, in order.
        default: Whether `kedro run` without a pipeline trains it.
        teacher: The entry that it learns from, if there is one.
        found: Whether it measures the cells found by the pipeline `cells`.
    """

    kind: str
    members: tuple[str, ...]
    default: bool
    teacher: str | None = None
    found: bool = False


# The entries of the current session, by name.
_current: dict[str, Entry] = {}


def list_entries() -> list[str]:
    """List the names of the entries of the current session, or without one, of those that a session would have.

    Raises:
        InputError: The configuration has no entry, or a name is not allowed.
    """
    return list(describe_entries())


def describe_entries() -> dict[str, Entry]:
    """Describe by name what the pipelines of the entries in ``list_entries`` depend on.

    Raises:
        InputError: The configuration has no entry, or a name is not allowed.
    """
    if not _current:
        set_entries(read_entries())
    return dict(_current)


def set_entries(entries: Mapping[str, Any]) -> None:
    """Set the entries of a session, and register pipelines again if the entries have changed.

    Args:
        entries: The parameter ``models``.

    Raises:
        InputError: There is no entry, or a name is not allowed.
    """
    _require_names(entries)
    described = {name: _describe(entries, name) for name in entries}
    if list(described.items()) != list(_current.items()):
        _current.clear()
        _current.update(described)
        set_models(entries, [name for name, entry in described.items() if not entry.default])
        pipelines.configure(pipelines._pipelines_module)


def _describe(entries: Mapping[str, Any], name: str) -> Entry:
    """Describe an entry; errors in it are reported by its validation, which needs the pipelines."""
    entry = entries[name]
    members = _find_members(entries, name)
    by_default = _is_default(entry)
    measures_found = entry.get("cells") == "found"
    return Entry(str(entry.get("kind")), members, by_default, _find_teacher(entries, name), measures_found)


def _is_default(entry: Mapping[str, Any]) -> bool:
    """Read ``default`` as the entry's options do, which take 0 and 'no' too."""
    try:
        return _BOOLEAN.validate_python(entry.get("default", True))
    except ValidationError:
        return True


def _find_members(entries: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Find the entries that an entry consists of, each once; invalid members are reported by its validation."""
    entry = entries[name]
    members = {"ensemble": entry.get("members"), "views": [entry.get("member")]}.get(str(entry.get("kind")))
    excluded = ("ensemble", "views") if entry.get("kind") == "ensemble" else ("views",)
    known = [
        member
        for member in (members if isinstance(members, list) else [])
        if isinstance(member, str) and member in entries and entries[member].get("kind") not in excluded
    ]
    return tuple(dict.fromkeys(known))


def _find_teacher(entries: Mapping[str, Any], name: str) -> str | None:
    """Find an entry's teacher; one that is no entry, or has a teacher itself, is reported by the validation."""
    teacher = _name_teacher(entries[name])
    if teacher is None or teacher not in entries:
        return None
    if any(_name_teacher(entries[part]) for part in _list_parts(entries, teacher)):
        return None
    return teacher


def _list_parts(entries: Mapping[str, Any], name: str) -> list[str]:
    """List an entry and all its members, recursively."""
    members = _find_members(entries, name)
    return [name, *(part for member in members for part in _list_parts(entries, member))]


def _name_teacher(entry: Mapping[str, Any]) -> str | None:
    training = entry.get("training")
    distillation = training.get("distillation") if isinstance(training, dict) else None
    teacher = distillation.get("teacher") if isinstance(distillation, dict) else None
    return teacher if isinstance(teacher, str) else None


def complete_entries(
    parameters: Mapping[str, Any], known: Collection[str] = (), given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Add each entry's name to the entry itself.

    In earlier versions a model's parameters were at the top level under its name, where they are still read.

    Args:
        parameters: All parameters, as read.
        known: The names of parameters, which models cannot have.
        given: The parameters set by ``--params``, which take precedence.

    Returns:
        All parameters; each entry of ``models`` has its ``name``.

    Raises:
        InputError: ``models`` is not a table of entries, a model has the name of another parameter, or an entry sets
            its name.
    """
    entries = _require_table(parameters.get("models"))
    _require_free(entries, known)
    on_command_line = dict(given or {}).get("models") or {}
    completed = {}
    for name, entry in entries.items():
        if entry.get("name", name) != name:  # an entry completed before has its own name
            raise InputError(
                f"models.{name}.name cannot be set: an entry is called as it stands there, {name}. For figures and "
                f"tables give models.{name}.label. Nothing was run."
            )
        entry_values = _take_old_parameters(name, parameters.get(name), entry, on_command_line.get(name))
        completed[name] = entry_values | {"name": name}
    return {name: value for name, value in parameters.items() if name not in entries} | {"models": completed}


def _require_free(entries: Mapping[str, Any], known: Collection[str]) -> None:
    for name in entries:
        if name in known:
            raise InputError(
                f"A model cannot be called '{name}', which is another parameter's name. Rename it in models. Nothing "
                f"was run."
            )


def _take_old_parameters(name: str, old: Any, entry: dict[str, Any], given: Any) -> dict[str, Any]:
    """Merge a model's parameters at the place of earlier versions into its entry."""
    if old is None:
        return entry
    if not isinstance(old, dict):
        raise InputError(
            f"{name} is {old!r}, and {name} is a model: its parameters stand under models.{name}, as in "
            f"models.{name}.training.epochs=5. Nothing was run."
        )
    logger.warning(
        "The parameters of a model stand under models now: %s is read as models.%s, which the next version will no "
        "longer do",
        name,
        name,
    )
    old_values = {"architecture" if key == "backbone" else key: value for key, value in old.items()}
    return OmegaConf.to_container(OmegaConf.merge(entry, old_values, given or {}))  # type: ignore[return-value]


def _require_table(entries: Any) -> dict[str, dict[str, Any]]:
    no_tables = entries if isinstance(entries, dict) else {"": entries}
    for name, entry in no_tables.items():
        if not isinstance(entry, dict):
            place = f"models.{name}" if name else "models"
            raise InputError(
                f"{place} is {shorten(repr(entry))}, and not a table, nothing was run. Expected something like "
                "`models: {resnet50: {kind: network, architecture: resnet50}}`, as in conf/base/parameters_models.yml."
            )
    return entries


def _require_names(entries: Mapping[str, Any]) -> None:
    if not entries:
        raise InputError("models has no entry, so that there is nothing to train. Nothing was run.")
    for name in entries:
        if not _NAME.fullmatch(str(name)) or name in _NO_MODELS:
            raise InputError(
                f"A model cannot be called '{name}': expected small letters, digits and underscores, with a letter "
                f"first, and none of {', '.join(sorted(_NO_MODELS))}. Rename it in models. Nothing was run."
            )


def read_entries(
    source: str | Path | None = None, env: str | None = None, given: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Read the entries before there is a session.

    Args:
        source: The place of the configuration; by default that of the project or the package.
        env: The environment; by default Kedro's choice.
        given: The values set by ``--params``.

    Raises:
        InputError: There is no configuration, or ``models`` is not a table of entries.
    """
    return _require_table(_read_parameters(source, env, given).get("models"))


def list_strangers(source: str | Path | None, env: str | None, given: Mapping[str, Any] | None) -> list[str]:
    """List the names of parameters that the base environment does not have and that are no entries.

    Args:
        source: As ``read_entries`` takes it, like the others.
        env: The environment.
        given: What ``--params`` sets.

    Raises:
        InputError: There is no configuration, or a file cannot be read.
    """
    parameters = _read_parameters(source, env, given)
    known = {*_read_parameters(source, BASE_ENV, None), *_require_table(parameters.get("models"))}
    return [name for name in parameters if name not in known]


def _read_parameters(source: str | Path | None, env: str | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    source = source or find_configuration()
    if source is None:
        raise InputError(
            f"There is no configuration: {Path.cwd()} is in no Leukoscope project. Run this in the project's folder, "
            f"or give --conf-source. Nothing was run."
        )
    loader = TellingConfigLoader(
        str(source),
        env=env or os.environ.get("KEDRO_ENV"),
        runtime_params=dict(given or {}),
        base_env=BASE_ENV,
        default_run_env=DEFAULT_ENV,
        merge_strategy=MERGE_STRATEGY,
    )
    return loader["parameters"]


def find_configuration() -> Path | None:
    """Find the configuration of the current project, in the installed package, or beside the source."""
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    package = Path(__file__).parent
    places = (project / settings.CONF_SOURCE, package / "conf", package.parents[1] / "conf")
    return next((place for place in places if place.is_dir()), None)
