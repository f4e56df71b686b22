"""Kedro's settings of the project."""

import os
import warnings
from pathlib import Path

from kedro.utils import find_kedro_project

from leukoscope.hooks import InputHook, TrackingHook
from leukoscope.makers import MakersHook
from leukoscope.other_runs import OtherRunsHook

# TensorFlow tells of its instruction sets and of GPUs that are not there; what matters comes as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# It computes with oneDNN by itself only on CPUs with AVX-512; training is 1.4 times as fast with it on others too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Kedro and its plugin register resolvers by a name that OmegaConf has deprecated; nobody here can mend that.
warnings.filterwarnings("ignore", message="register_new_resolver")

# The hook of kedro-mlflow is replaced by its subclass, which gives every backbone a run of its own.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)
HOOKS = (InputHook(), TrackingHook(), OtherRunsHook(), MakersHook())


def _project_root() -> str:
    return str(find_kedro_project(Path.cwd()) or Path(__file__).parents[2])


def _tracking_uri() -> str:
    """A team's server, if the environment names one; else a file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _own_uri()


def _own_uri() -> str:
    return f"sqlite:///{_project_root()}/mlflow.db"


def _artifact_location() -> str | None:
    """The project's own folder, unless a server decides."""
    # MLflow itself sets the variable, to what a first session of this process has found.
    return f"{_project_root()}/mlartifacts" if _tracking_uri() == _own_uri() else None


CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft", "mlflow": "soft"},
    "custom_resolvers": {"tracking_uri": _tracking_uri, "artifact_location": _artifact_location},
}
