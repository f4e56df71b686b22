"""Commands quoted in messages, for the environment of the current session."""

from collections.abc import Iterable, Mapping
from typing import Any

_DEFAULT = (None, "local")
# Facts about the current session, which neither nodes nor data sets know.
_environment: list[str | None] = [None]
_models: list[str] = []
# Models that pipelines without a model's name leave out.
_optional: set[str] = set()


def set_environment(env: str | None) -> None:
    """Set the environment of the current session.

    Args:
        env: Its name; ``None`` for the default.
    """
    _environment[:] = [env]


def name_environment() -> str:
    """Return the name of the current session's environment; Kedro's default if none was given."""
    return _environment[0] or "local"


def set_models(names: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Set the models of the current session.

    Args:
        names: The names of the entries, in their order.
        optional: The models that only their own pipelines and `systems` train and evaluate.
    """
    _models[:] = names
    _optional.clear()
    _optional.update(optional)


def name_training() -> str:
    """Return a command that trains a model of the session; the first one stands for any."""
    return name_run(f"train_{_models[0] if _models else 'MODEL'}")


def name_evaluation(*models: str) -> str:
    """Return the command that evaluates trained models.

    Args:
        models: The models' names.

    Returns:
        A command like ``kedro run --pipelines evaluation --namespaces resnet50,vgg16``.
    """
    pipeline = "systems" if _optional & set(models) else "evaluation"
    return name_run(f"{pipeline} --namespaces {','.join(models)}")


def name_run(pipeline: str, parameters: Mapping[str, Any] | None = None) -> str:
    """Return the command that runs a pipeline.

    Args:
        pipeline: One or more pipelines, separated by commas.
        parameters: The values for ``--params``, by dotted names.

    Returns:
        A command like ``kedro run --pipelines train_vgg16 --env demo --params "splitting.fold=1 of 5"``.
    """
    settings = ",".join(f"{name}={value}" for name, value in (parameters or {}).items())
    return name_run_in(_environment[0], pipeline) + (f' --params "{settings}"' if settings else "")


def name_configuration(name: str) -> str:
    """Return the current environment's file for some parameters, like ``conf/local/parameters_models.yml``.

    Args:
        name: The name of the parameters.
    """
    return f"conf/{_environment[0] or 'local'}/parameters_{name}.yml"


def name_run_in(env: str | None, pipeline: str) -> str:
    """Return the command that runs a pipeline in an environment.

    Args:
        env: The environment; ``None`` for the default.
        pipeline: One or more pipelines, separated by commas.
    """
    return _add_environment(f"kedro run --pipelines {pipeline}", env)


def name_command(command: str) -> str:
    """Return a Kedro command for the environment of the current session.

    Args:
        command: The command without ``kedro``, like ``mlflow ui``.
    """
    return _add_environment(f"kedro {command}", _environment[0])


def _add_environment(command: str, env: str | None) -> str:
    return command + ("" if env in _DEFAULT else f" --env {env}")
