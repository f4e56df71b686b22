"""The parameters in force in a run, and the identity of its command."""

import os
import platform
from typing import Any

from kedro.pipeline import Pipeline
from pydantic import BaseModel

from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.session import WORKSPACE


def fingerprint_session(
    run_params: dict[str, Any], pipeline: Pipeline, parameters: dict[str, Any], models: set[str]
) -> str:
    """Hash what a command runs and where, so that a repeated command in a project on a machine gets the same hash.

    A command with its own workspace has the same hash on every machine that sees the workspace.
    """
    where = os.environ.get(WORKSPACE) or platform.node()
    place = [where, run_params["project_path"], run_params.get("env")]
    names = sorted(node.name for node in pipeline.nodes)
    in_force = [parameters_in_force(parameters, model) for model in [None, *sorted(models)]]
    for values in in_force:  # where something runs does not affect its results
        for name in [name for name in values if name.startswith("cluster.") or name == "study.workers"]:
            del values[name]
    return fingerprint_facts([place, names, in_force])


def parameters_in_force(parameters: dict[str, Any], model: str | None) -> dict[str, Any]:
    """Flatten the parameters of a run: all shared ones, and the model's resolved recipe as ``training``.

    Args:
        parameters: All parameters, validated.
        model: The model; ``None`` for the shared recipe.
    """
    shared = {name: value for name, value in parameters.items() if name != "models"}
    if model:
        entry = parameters["models"][model]
        shared["training"] = entry.resolve(parameters["training"])
        shared["augmentation"] = entry.join_augmentation(parameters["augmentation"])
        shared["model"] = entry.describe_kind()
    return _flatten(shared)


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = value.model_dump() if isinstance(value, BaseModel) else value
        flat |= _flatten(inner, f"{prefix}{name}.") if isinstance(inner, dict) else {f"{prefix}{name}": inner}
    return flat
