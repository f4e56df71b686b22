"""The command that makes a data set, for messages about files that are missing, damaged or of an earlier version."""

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from leukoscope.core.commands import name_run_in, set_environment
from leukoscope.core.session import Session, remember_session
from leukoscope.core.stages import list_models
from leukoscope.datasets.optional import unwrap
from leukoscope.entries import list_entries

# Data sets that collect one data set of every model have no node that makes them.
GATHERED = {
    "trained_models": "{model}.model",
    "calibrations": "{model}.calibration",
    "evaluated_predictions": "{model}.predictions",
    "evaluated_features": "{model}_features",
    "evaluations": "{model}.evaluations",
    "reader_registry": "registration",
}


def name_maker(dataset_name: str, env: str | None = None) -> str | None:
    """Return the smallest command that makes a data set from what comes before it.

    Among the registered pipelines that write the data set, it runs the one with the fewest models, and then with the
    fewest nodes. For data sets that collect one of every model, the command makes that of the first model.

    Args:
        dataset_name: Its name in the catalog.
        env: The environment of the run.

    Returns:
        A command like ``kedro run --pipelines splitting --env demo``; ``None`` if no pipeline writes the data set.
    """
    pipeline = _find_pipeline(dataset_name)
    return name_run_in(env, pipeline) if pipeline else None


def is_made(dataset_name: str) -> bool:
    """Return whether any pipeline writes a data set."""
    return _find_pipeline(dataset_name) is not None


def name_makers(dataset_names: Iterable[str], env: str | None = None) -> str:
    """Return the single command that makes several data sets, each written by some pipeline.

    Args:
        dataset_names: Their names in the catalog.
        env: The environment of the run.
    """
    registered = _list_pipelines()
    makers = {pipeline for pipeline in map(_find_pipeline, dataset_names) if pipeline}
    written = {key: registered[key].all_outputs() for key in makers}
    needless = {key for key in makers if any(written[key] < written[other] for other in makers)}
    return name_run_in(env, ",".join(key for key in registered if key in makers - needless))


def _find_pipeline(dataset_name: str) -> str | None:
    name = GATHERED.get(dataset_name, dataset_name).format(model=list_entries()[0])
    pipelines = {key: pipeline for key, pipeline in _list_pipelines().items() if name in pipeline.all_outputs()}
    if not pipelines:
        return None
    return min(pipelines, key=lambda key: (len(list_models(pipelines[key])), len(pipelines[key].nodes)))


class MakersHook:
    """Remembers the catalog, so that a data set can look up by its path which command makes it again."""

    _env: str | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the environment, which is part of every command, and the settings that started commands inherit."""
        self._env = context.env
        set_environment(context.env)
        loader = context.config_loader
        given = deepcopy(dict(loader.runtime_params or {}))
        project = Path(context.project_path)
        data = project / loader["globals"]["data"]
        remember_session(Session(project, context.env, str(loader.conf_source), given, data))

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Remember the catalog of the current session."""
        _at_work[:] = [(catalog, self._env)]


# The catalog of the current session and its environment: data sets know neither.
_at_work: list[tuple[CatalogProtocol, str | None]] = []


def find_maker(path: Path) -> str | None:
    """Find the command that makes the data set at a path.

    Args:
        path: A file of the project's data, or a file in the folder of a data set.

    Returns:
        The command as in ``name_maker``; ``None`` also if there is no session, or none of its data sets has this path.
    """
    if not _at_work:
        return None
    catalog, env = _at_work[-1]
    names = sorted(set().union(*(pipeline.datasets() for pipeline in _list_pipelines().values())))
    places = {name: _find_place(catalog.get(name)) for name in names if not name.startswith("params:")}
    holding = {name: place for name, place in places.items() if place and (place == path or place in path.parents)}
    nearest = max((len(place.parts) for place in holding.values()), default=0)
    makers = [name for name, place in holding.items() if len(place.parts) == nearest]
    makers += [name for name in places if _is_partition(catalog.get(name), path)]
    commands = (name_maker(name, env) for name in makers)
    return next((command for command in commands if command), None)


def _find_place(dataset: Any) -> Path | None:
    """Return the path of a data set, or of the one it wraps; not for partitions, whose folders hold many data sets."""
    place = getattr(unwrap(dataset), "_filepath", None)
    return Path(str(place)) if place else None


def _is_partition(dataset: Any, path: Path) -> bool:
    """Return whether a path is a partition of a partitioned data set."""
    folder, suffix = getattr(dataset, "_path", None), getattr(dataset, "_filename_suffix", "")
    return bool(folder and suffix) and str(path).endswith(suffix) and Path(str(folder)) in path.parents


def _list_pipelines() -> dict[str, Pipeline]:
    from leukoscope.pipeline_registry import register_pipelines

    return register_pipelines()
