"""Which command makes a data set: what to tell people whose file is missing, damaged or of an earlier version."""

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

# What gathers a data set of every model has no node of its own.
GATHERED = {
    "trained_models": "{model}.model",
    "calibrations": "{model}.calibration",
    "evaluated_predictions": "{model}.predictions",
    "evaluated_features": "{model}_features",
    "evaluations": "{model}.evaluations",
    "reader_registry": "registration",
}


def name_maker(dataset_name: str, env: str | None = None) -> str | None:
    """Name the smallest command that makes a data set from what comes before it.

    Of the registered pipelines that write the data set, it is the one of the fewest models, and then of the fewest
    nodes. For what gathers a data set of every model, the command makes that of the first.

    Args:
        dataset_name: Its name in the catalog.
        env: The environment of the run.

    Returns:
        Like ``kedro run --pipelines splitting --env demo``; ``None`` where no pipeline writes the data set.
    """
    pipeline = _find_pipeline(dataset_name)
    return name_run_in(env, pipeline) if pipeline else None


def is_made(dataset_name: str) -> bool:
    """Tell whether any pipeline writes a data set."""
    return _find_pipeline(dataset_name) is not None


def name_makers(dataset_names: Iterable[str], env: str | None = None) -> str:
    """Name the one command that makes several data sets, each of which some pipeline writes.

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
    """Remembers the catalog, so that a data set can say by its path what makes it anew."""

    _env: str | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the environment, which belongs to every command, and what commands of this one are given too."""
        self._env = context.env
        set_environment(context.env)
        loader = context.config_loader
        given = deepcopy(dict(loader.runtime_params or {}))
        project = Path(context.project_path)
        data = project / loader["globals"]["data"]
        remember_session(Session(project, context.env, str(loader.conf_source), given, data))

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Remember the catalog of the session at work."""
        _at_work[:] = [(catalog, self._env)]


# The catalog of the session at work and its environment: data sets know neither.
_at_work: list[tuple[CatalogProtocol, str | None]] = []


def find_maker(path: Path) -> str | None:
    """Find the command that makes what is at a path.

    Args:
        path: A file of the project's data, or one in the folder of a data set.

    Returns:
        As of ``name_maker``; ``None`` also where no session is at work, or none of its data sets is there.
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
    """Give the file or folder of a data set, or of the one that it wraps; folders of partitions are many data sets'."""
    place = getattr(unwrap(dataset), "_filepath", None)
    return Path(str(place)) if place else None


def _is_partition(dataset: Any, path: Path) -> bool:
    """Tell whether a data set of partitions has one at a path."""
    folder, suffix = getattr(dataset, "_path", None), getattr(dataset, "_filename_suffix", "")
    return bool(folder and suffix) and str(path).endswith(suffix) and Path(str(folder)) in path.parents


def _list_pipelines() -> dict[str, Pipeline]:
    from leukoscope.pipeline_registry import register_pipelines

    return register_pipelines()
