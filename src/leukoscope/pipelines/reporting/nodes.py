"""Write pages and model cards about images and classifiers."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.reporting import links
from leukoscope.reporting.context import PageContext
from leukoscope.reporting.frame import Frame

logger = logging.getLogger(__name__)

_COMPARING = ["comparison.html", "literature.html"]


def describe_data(
    manifest: pd.DataFrame, ingestion_report: pd.DataFrame, splits: pd.DataFrame, options: SplittingOptions
) -> dict[str, Any]:
    """Collect facts about the images, about those left out, and about how they were split.

    Args:
        manifest: Every file found.
        ingestion_report: Counts by class.
        splits: The split of each accepted image.
        options: The kind of group that never straddled two splits.
    """
    from leukoscope.reporting import data_sheet

    return data_sheet.describe_data(manifest, ingestion_report, splits, options.group_by)


def gather_context(
    data_sheet: dict[str, Any],
    known: DataSheetOptions,
    software: dict[str, Any],
    seed: int,
    audit_table: pd.DataFrame | None,
    audit_verdict: str | None,
    colour_baseline: dict[str, Any] | None,
    pages: Sequence[str] = (),
) -> PageContext:
    """Collect what every page states about the images, whatever was trained on them.

    Args:
        data_sheet: The facts about the images.
        known: What the user states about them.
        software: Versions and the commit.
        seed: The project's random seed.
        audit_table: The ladder of the last audit, if there was one.
        audit_verdict: The verdict of that audit.
        colour_baseline: The result of stain colour alone on the last test images.
        pages: The pages that other pipelines have written.
    """
    from leukoscope.reporting import worth

    known_worth = worth.Worth.select(data_sheet, audit_table, audit_verdict, colour_baseline)
    return PageContext.gather(data_sheet, known.model_dump(), software | {"seed": str(seed)}, known_worth, pages)


def gather_frame(
    manifest: pd.DataFrame,
    known: DataSheetOptions,
    software: dict[str, Any],
    seed: int,
    of_comparison: list[str],
    of_models: list[str],
) -> Frame:
    """Collect the head of pages about all images, however they are split.

    Args:
        manifest: Every file found.
        known: What the user states about the images.
        software: Versions and the commit.
        seed: The project's random seed.
        of_comparison: The existing pages that compare models.
        of_models: The pages of models.
    """
    from leukoscope.images.origin import Origin
    from leukoscope.reporting import sources

    origin = Origin.trace(manifest)
    stated = known.model_dump()
    source = sources.describe(stated, origin)
    provenance = software | {"seed": str(seed)}
    return Frame.make(source, origin, known.is_published(origin), [*of_comparison, *of_models], provenance)


def write_reports(
    page_context: PageContext,
    results: list[dict[str, Any]],
    differences: pd.DataFrame | None = None,
    of_comparison: list[str] | None = None,
) -> dict[str, str]:
    """Write the page of every model that was evaluated on these images.

    Args:
        page_context: What every page states about the images.
        results: One per evaluated model.
        differences: One row per pair; a page shows its model's difference from stain colour.
        of_comparison: The pages that compare models; ``None`` if the same run writes them.

    Returns:
        HTML by ``<model>/report``.
    """
    from leukoscope.reporting import pages

    beside = _COMPARING if of_comparison is None else of_comparison
    how: dict[str, Any] = {"differences": differences, "frame": page_context.frame.add(beside)}
    current, others = page_context.select_current(results)
    for title in others:
        logger.warning("%s was evaluated on other splits: its report stays as it is", title)
    return {f"{result['model']}/report": pages.render_model(result, *page_context.facts, **how) for result in current}


def write_model_cards(page_context: PageContext, results: list[dict[str, Any]]) -> dict[str, str]:
    """Write the model card of every model that was evaluated on these images.

    Args:
        page_context: What every page states about the images.
        results: One per evaluated model.

    Returns:
        Markdown by ``<model>/model_card``.
    """
    from leukoscope.reporting import pages

    current, _ = page_context.select_current(results)
    return {f"{result['model']}/model_card": pages.render_card(result, *page_context.facts) for result in current}


def write_comparison(
    comparison: pd.DataFrame,
    differences: pd.DataFrame,
    page_context: PageContext,
    results: list[dict[str, Any]],
    issues: pd.DataFrame | None = None,
    label_reviews: pd.DataFrame | None = None,
) -> str:
    """Write the page that compares the models that were evaluated on these images.

    Args:
        comparison: One row per model.
        differences: One row per pair of models, or of a model and stain colour.
        page_context: What every page states about the images.
        results: One per evaluated model.
        issues: The doubtful labels, if they were searched for.
        label_reviews: The reviews of these labels.

    Raises:
        InputError: None of the compared models has results on the current splits.
    """
    from leukoscope.evaluation import label_issues
    from leukoscope.reporting import pages

    current, others = page_context.select_current(results)
    rows = _select_compared(comparison, current)
    current = [result for result in current if result["model"] in set(rows["model"])]
    if not page_context.is_published:
        rows = rows.filter(regex="^(?!report_)")
    doubts = label_issues.summarise(issues, label_reviews, page_context.data_sheet["fingerprint"])
    frame = _add_written(page_context, current)
    return pages.render_comparison(rows, differences, current, *page_context.facts, others, doubts=doubts, frame=frame)


def write_literature(
    comparison: pd.DataFrame,
    differences: pd.DataFrame,
    page_context: PageContext,
    results: list[dict[str, Any]],
    models: dict[str, Any],
) -> str:
    """Write the page of published metrics, next to the results of the same systems here.

    Args:
        comparison: One row per model.
        differences: One row per pair of models, or of a model and stain colour.
        page_context: What every page states about the images.
        results: One per evaluated model.
        models: All entries, trained or not, by name.

    Raises:
        InputError: None of the compared models has results on the current splits.
    """
    from leukoscope.reporting import literature

    current, _ = page_context.select_current(results)
    rows = _select_compared(comparison, current)
    context = page_context._replace(frame=_add_written(page_context, current))
    return literature.render_literature(rows, differences, context, list(models))


def _add_written(page_context: PageContext, results: list[dict[str, Any]]) -> Frame:
    """Add links to the pages that the same run writes to a page's frame."""
    return page_context.frame.add([*_COMPARING, *(links.name_report(result["model"]) for result in results)])


def _select_compared(comparison: pd.DataFrame, current: list[dict[str, Any]]) -> pd.DataFrame:
    rows = comparison[comparison["model"].isin([result["model"] for result in current])]
    if rows.empty:
        raise InputError(
            f"No model that was compared has results on the present splits. Run `{name_run('comparison')}` "
            "before the reports, after training or evaluating one on them."
        )
    return rows
