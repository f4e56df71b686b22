"""What a run came to, shown where it was started."""

import click
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline


class ResultsHook:
    """Ends a run that compares models with their table."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Show the table, if the run made one."""
        show_results(pipeline, catalog)


def show_results(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """Show the table of results that a pipeline makes; nothing for one that makes none."""
    if "comparison" not in pipeline.all_outputs():
        return
    from leukoscope.reporting.terminal import tabulate_results

    tables = [catalog.load(name) if catalog.exists(name) else None for name in ("colour_baseline", "differences")]
    click.echo(f"\n{tabulate_results(catalog.load('comparison'), *tables)}")
