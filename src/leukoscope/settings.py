"""The project's Kedro settings."""

import os
from pathlib import Path

from kedro.utils import find_kedro_project

from leukoscope.configuration import WorkspaceConfigLoader
from leukoscope.entries import BASE_ENV, DEFAULT_ENV, MERGE_STRATEGY
from leukoscope.hooks import InputHook, OtherRunsHook, ProgressHook, ResultsHook, TrackingHook, UnchangedHook
from leukoscope.makers import MakersHook
from leukoscope.relocation import ARTIFACTS, DATABASE

# The hook of kedro-mlflow is replaced by one that gives every model its own run.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)
_TRACKING = TrackingHook()
# Kedro calls the last hook first, except those marked to be first or last.
HOOKS = (
    UnchangedHook(_TRACKING),
    ResultsHook(_TRACKING),
    ProgressHook(),
    InputHook(),
    _TRACKING,
    OtherRunsHook(),
    MakersHook(),
)


def _project_root() -> str:
    """Return the current project, the project of this file, or for a package without one, the working directory."""
    source_root = Path(__file__).parents[2]
    return str(
        find_kedro_project(Path.cwd()) or (source_root if (source_root / "pyproject.toml").is_file() else Path.cwd())
    )


def _tracking_uri() -> str:
    """Return a team's server, if the environment names one, or else a file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _own_uri()


def _own_uri() -> str:
    return f"sqlite:///{_project_root()}/{DATABASE}"


def _artifact_location() -> str | None:
    """Return a folder beside the database, unless a server decides; MLflow would choose the working directory."""
    uri = _tracking_uri()
    if uri == _own_uri():
        return str(Path(_project_root(), ARTIFACTS))
    if not uri.startswith("sqlite:///"):
        return None
    from leukoscope.hooks.server import find_file

    return str(find_file(uri).absolute().with_name(ARTIFACTS))


CONFIG_LOADER_CLASS = WorkspaceConfigLoader
CONFIG_LOADER_ARGS = {
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
    "base_env": BASE_ENV,
    "default_run_env": DEFAULT_ENV,
    "merge_strategy": MERGE_STRATEGY,
    "custom_resolvers": {"tracking_uri": _tracking_uri, "artifact_location": _artifact_location},
}
