"""Commands that messages name, in the environment of the session at work."""

from collections.abc import Iterable, Mapping
from typing import Any

_DEFAULT = (None, "local")
# Of the session at work: neither nodes nor data sets know them.
_environment: list[str | None] = [None]
_models: list[str] = []
# Those that the pipelines without a model's name leave out.
_optional: set[str] = set()


def set_environment(env: str | None) -> None:
    """Remember the environment of a session.

    Args:
        env: Its name; ``None`` for the default.
    """
    _environment[:] = [env]


def name_environment() -> str:
    """Name the environment of the session at work, as Kedro calls it where none was asked for."""
    return _environment[0] or "local"


def set_models(names: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Remember the models of a session.

    Args:
        names: Of the entries, in their order.
        optional: Those that are trained and evaluated by pipelines of their own and `systems` only.
    """
    _models[:] = names
    _optional.clear()
    _optional.update(optional)


def name_training() -> str:
    """Name a command that trains a model of the session: the first, to be replaced by any."""
    return name_run(f"train_{_models[0] if _models else 'MODEL'}")


def name_evaluation(*models: str) -> str:
    """Name the command that evaluates models which were trained.

    Args:
        models: Their names.

    Returns:
        Like ``kedro run --pipelines evaluation --namespaces resnet50,vgg16``.
    """
    pipeline = "systems" if _optional & set(models) else "evaluation"
    return name_run(f"{pipeline} --namespaces {','.join(models)}")


def name_run(pipeline: str, parameters: Mapping[str, Any] | None = None) -> str:
    """Name the command that runs a pipeline.

    Args:
        pipeline: One or more, with commas between them.
        parameters: What ``--params`` sets, by dotted names.

    Returns:
        Like ``kedro run --pipelines train_vgg16 --env demo --params "splitting.fold=1 of 5"``.
    """
    settings = ",".join(f"{name}={value}" for name, value in (parameters or {}).items())
    return name_run_in(_environment[0], pipeline) + (f' --params "{settings}"' if settings else "")


def name_configuration(name: str) -> str:
    """Name the file of the environment at work that holds some parameters, like ``conf/local/parameters_models.yml``.

    Args:
        name: Of the parameters.
    """
    return f"conf/{_environment[0] or 'local'}/parameters_{name}.yml"


def name_run_in(env: str | None, pipeline: str) -> str:
    """Name the command that runs a pipeline in an environment.

    Args:
        env: The environment; ``None`` for the default.
        pipeline: One or more, with commas between them.
    """
    return _add_environment(f"kedro run --pipelines {pipeline}", env)


def name_command(command: str) -> str:
    """Name a command of Kedro in the environment of the session at work.

    Args:
        command: Without ``kedro``, as ``mlflow ui``.
    """
    return _add_environment(f"kedro {command}", _environment[0])


def _add_environment(command: str, env: str | None) -> str:
    return command + ("" if env in _DEFAULT else f" --env {env}")
