"""Which parameters a run has, and which command it is."""

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
    """Hash what a command runs and where: the same command in the same project on the same machine has the same.

    One that has a workspace of its own is the same on any machine that sees it.
    """
    where = os.environ.get(WORKSPACE) or platform.node()
    place = [where, run_params["project_path"], run_params.get("env")]
    names = sorted(node.name for node in pipeline.nodes)
    in_force = [parameters_in_force(parameters, model) for model in [None, *sorted(models)]]
    for values in in_force:  # where something runs is of no consequence for what comes of it
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
