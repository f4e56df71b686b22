"""The project's own commands, beside those of Kedro."""

from pathlib import Path
from typing import Any

import click


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
