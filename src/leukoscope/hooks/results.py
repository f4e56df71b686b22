"""The results of a run, shown where it was started."""

import click
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from leukoscope.core.commands import name_command
from leukoscope.datasets.optional import unwrap
from leukoscope.hooks.tracking import TrackingHook


class ResultsHook:
    """Shows the table of results and links to more at the end of a run that compares models.

    Args:
        tracking: Provides the page of the run in MLflow.
    """

    def __init__(self, tracking: TrackingHook) -> None:
        self._tracking = tracking

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Show the table, if the run made one."""
        show_results(pipeline, catalog, self._tracking.last_page)


def show_results(pipeline: Pipeline, catalog: CatalogProtocol, page: str | None) -> None:
    """Show the table of results that a pipeline makes, if it makes one.

    Args:
        pipeline: The pipeline that was run.
        catalog: The catalog of its data sets.
        page: The address of the runs in MLflow; ``None`` if they were not tracked.
    """
    made = pipeline.all_outputs()
    if "comparison" not in made:
        return
    from leukoscope.reporting.terminal import tabulate_results

    tables = [catalog.load(name) if catalog.exists(name) else None for name in ("colour_baseline", "differences")]
    lines = [tabulate_results(catalog.load("comparison"), *tables), ""]
    if "comparison_page" in made:
        lines.append(f"The report:  {getattr(unwrap(catalog.get('comparison_page')), '_filepath', '')}")
    if page:
        server = "" if page.startswith("http") else f"`{name_command('mlflow ui')}`, then http://127.0.0.1:5000/"
        lines.append(f"The runs:    {server}{page}")
    lines.append(f"The DAG:     `{name_command('viz run')}`, then http://127.0.0.1:4141/?types=nodes")
    click.echo("\n" + "\n".join(lines))
