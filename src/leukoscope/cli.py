"""The project's own commands, and Kedro's ``run`` with one-line errors."""

import logging
import re
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import pipelines, settings
from kedro.framework.session.session import KedroSessionError
from kedro.io import DatasetError
from kedro.utils import find_kedro_project
from kedro_viz.launchers.cli.main import viz
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from leukoscope.entries import DEFAULT_ENV, find_configuration, list_strangers, read_entries, set_entries
from leukoscope.hooks.unchanged import ending_if_unchanged

# What Kedro and OmegaConf raise for a wrong command or configuration.
_WRONG_COMMAND = (
    ValueError,
    TypeError,
    AttributeError,
    KedroSessionError,
    DatasetError,
    OmegaConfBaseException,
    YAMLError,
)
# The loggers that write a line for every node, silenced by conf/logging.yml.
_TOLD_OF_NODES = ("kedro.pipeline", "kedro.runner", "leukoscope.runners")
_RUNNER = "leukoscope.runners.ModelByModelRunner"


@click.group()
def cli() -> None:
    """Commands of Leukoscope."""


@cli.command()
@click.pass_obj
def relocate(metadata: Any) -> None:
    """Correct MLflow's records after the project was moved or copied."""
    from leukoscope.relocation import relocate_artifacts

    changed = relocate_artifacts(Path(metadata.project_path))
    click.echo(f"{changed} records of MLflow name the project's own mlartifacts now.")


def _run(force: bool, verbose: bool, **options: Any) -> Any:
    """Run as Kedro does, but without deprecating ``--pipeline``, and not if nothing has changed."""
    if options["pipeline"] and options["pipelines"]:
        raise click.ClickException(
            "Give --pipelines only: it takes several, as in --pipelines train_resnet50,train_vgg16."
        )
    if options["pipeline"]:
        options |= {"pipeline": None, "pipelines": [options["pipeline"]]}
    source = click.get_current_context().get_parameter_source("pipelines")
    if source is click.core.ParameterSource.COMMANDLINE and not options["pipelines"]:
        raise click.ClickException("--pipelines names none. Leave it out to run everything.")
    with errors_in_a_line(), ending_if_unchanged(may_end=not force), _telling_of_nodes(verbose):
        options["conf_source"] = options["conf_source"] or _find_configuration()
        options["runner"] = options["runner"] or _RUNNER
        require_pipelines(options)
        return kedro_run.callback(**options)  # type: ignore[misc]


@contextmanager
def _telling_of_nodes(verbose: bool) -> Iterator[None]:
    """Let Kedro's loggers announce the beginning and end of every node if ``verbose``."""
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in _TOLD_OF_NODES}
    for logger in levels if verbose else ():
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


class _Run(click.Command):
    """Kedro's ``run``, with a one-line error also if an option cannot be read."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with errors_in_a_line():
            try:
                return super().parse_args(ctx, args)
            except click.UsageError as error:
                if "must contain a key and a value" not in error.message or not re.search(r"[\[\]{}]", error.message):
                    raise
                raise click.UsageError(
                    f"{error.message} --params takes no list or table with commas: put it into "
                    f"conf/local/parameters.yml, or join names by |, as in class_names=Benign|Malignant.",
                    error.ctx,
                ) from None
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except (KeyError, TypeError, AttributeError):  # of Kedro's reader of --config
                raise click.ClickException(
                    "The file of --config cannot be read. Expected a table of options under `run`, like `run: {env: "
                    "demo, pipelines: ingestion}`. Nothing was run."
                ) from None
            except Exception as error:  # of Kedro's reader of --params
                message = " ".join(str(getattr(error, "problem", None) or error).split())
                raise click.ClickException(
                    f"An option cannot be read: {type(error).__name__}, {message[:200]}. What begins with a bracket or "
                    f"another sign of YAML belongs into conf/local/parameters.yml, in quotes. Nothing was run."
                ) from None


run = _Run(
    "run",
    params=[
        option if option.name != "pipeline" else click.Option(["--pipeline", "-p"], help="The same, of one pipeline.")
        for option in kedro_run.params
    ]
    + [
        click.Option(["--force"], is_flag=True, help="Run also where nothing has changed since the last time."),
        click.Option(["--verbose"], is_flag=True, help="Say of every node that it begins and ends."),
    ],
    callback=_run,
    help=kedro_run.help,
)
cli.add_command(run)
# Commands of plugins come before those of a project, so that this one has to be exchanged in its place.
viz.lazy_subcommands["run"] = "leukoscope.viz.run"


@contextmanager
def errors_in_a_line() -> Iterator[None]:
    """Turn any error of a command into a one-line message.

    Raises:
        ClickException: Instead of any other error. If the user cannot fix it, the traceback is written to a file.
    """
    try:
        yield
    except KedroCliError as error:  # would show its own traceback, even if there is none
        raise click.ClickException(error.message) from None
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        from leukoscope.core.faults import explain

        raise explain(error) or _describe(error) from error


def _describe(error: Exception) -> click.ClickException:
    message = " ".join(str(error).split())
    if isinstance(error, _WRONG_COMMAND) and not _has_begun():
        return click.ClickException(f"{(message or type(error).__name__).rstrip('.')}. Nothing was run.")
    report = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="leukoscope-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write(report)
    except OSError:
        return click.ClickException(report)  # there is nowhere else to write it
    return click.ClickException(
        f"{type(error).__name__}: {message[:300]}. This is a fault of the software, not of your input; what was "
        f"computed before is kept. Please report it with its traceback, {file.name}."
    )


def _has_begun() -> bool:
    """Return whether the pipeline has begun, so that something may have been computed."""
    return any(getattr(hook, "has_begun", False) for hook in settings.HOOKS)


def _find_configuration() -> str | None:
    """Return the wheel's configuration outside of a project; ``None`` inside one, which has its own."""
    configuration = find_configuration()
    if configuration == (find_kedro_project(Path.cwd()) or Path.cwd()) / settings.CONF_SOURCE:
        return None
    if configuration == Path(__file__).parent / "conf":
        return str(configuration)
    raise click.ClickException(
        f"There is no configuration: {Path.cwd()} is in no Leukoscope project. Run this in the project's folder, or "
        f"give --conf-source. Nothing was run."
    )


def require_pipelines(options: dict[str, Any]) -> None:
    """Refuse an unknown pipeline before creating a session, which takes longer.

    Args:
        options: ``conf_source``, ``env``, ``params`` and ``pipelines``.

    Raises:
        ClickException: There is no pipeline of one of these names.
    """
    try:
        set_entries(read_entries(options["conf_source"], options["env"], options["params"]))
    except Exception:  # the session will report what is wrong with the configuration
        return
    for name in options["pipelines"]:
        if name not in pipelines:
            if list_strangers(options["conf_source"], options["env"], options["params"]):
                return  # such as `modls`, of which the session says what is wrong
            near = ", ".join(get_close_matches(name, pipelines))
            hint = f"Did you mean {near}?" if near else "`kedro registry list` lists them."
            if name.removeprefix("train_") in read_entries(options["conf_source"], DEFAULT_ENV, options["params"]):
                hint = (
                    f"Its entry is in conf/{DEFAULT_ENV}, which is read only without --env: put it into the "
                    f"parameters.yml of the environment that is run."
                )
            raise click.ClickException(f"There is no pipeline '{name}'. {hint}")
