"""Bring together what is known of images and classifiers, for people to read."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.evaluation import compatibility
from leukoscope.images.origin import Origin
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.pipelines.splitting.options import SplittingOptions

logger = logging.getLogger(__name__)


def describe_data(
    manifest: pd.DataFrame, ingestion_report: pd.DataFrame, splits: pd.DataFrame, options: SplittingOptions
) -> dict[str, Any]:
    """Gather the facts of the images, of what was left out, and of how they were divided.

    Args:
        manifest: Every file found.
        ingestion_report: Counts by class.
        splits: Which accepted image is where.
        options: What never straddled two splits.
    """
    from leukoscope.reporting import data_sheet

    return data_sheet.describe_data(manifest, ingestion_report, splits, options.group_by)


def write_reports(
    data_sheet: dict[str, Any],
    known: DataSheetOptions,
    software: dict[str, Any],
    seed: int,
    audit_table: pd.DataFrame | None,
    audit_verdict: str | None,
    colour_baseline: dict[str, Any] | None,
    *results: dict[str, Any] | None,
) -> dict[str, str]:
    """Write the page of every backbone that was evaluated on these images.

    Args:
        data_sheet: The facts of the images.
        known: What people know of them.
        software: Versions, and the commit.
        seed: The one seed.
        audit_table: The ladder of the last audit, if there was one.
        audit_verdict: And what it means.
        colour_baseline: What stain colour alone reached on the last test images.
        results: One for each backbone, or ``None`` where it has none yet.

    Returns:
        HTML by ``<backbone>/report``.
    """
    from leukoscope.reporting import pages, worth

    facts = data_sheet, _describe_source(data_sheet, known), software | {"seed": str(seed)}
    known_worth = worth.Worth.select(data_sheet, audit_table, audit_verdict, colour_baseline)
    current, others = _select_current(results, data_sheet, known)
    for title in others:
        logger.warning("%s was evaluated on other splits: its report stays as it is", title)
    return {f"{result['backbone']}/report": pages.render_backbone(result, *facts, known_worth) for result in current}


def write_model_cards(
    data_sheet: dict[str, Any],
    known: DataSheetOptions,
    software: dict[str, Any],
    seed: int,
    audit_table: pd.DataFrame | None,
    audit_verdict: str | None,
    colour_baseline: dict[str, Any] | None,
    *results: dict[str, Any] | None,
) -> dict[str, str]:
    """Write the model card of every backbone that was evaluated on these images.

    Args:
        data_sheet: The facts of the images.
        known: What people know of them.
        software: Versions, and the commit.
        seed: The one seed.
        audit_table: The ladder of the last audit, if there was one.
        audit_verdict: And what it means.
        colour_baseline: What stain colour alone reached on the last test images.
        results: One for each backbone, or ``None`` where it has none yet.

    Returns:
        Markdown by ``<backbone>/model_card``.
    """
    from leukoscope.reporting import pages, worth

    facts = data_sheet, _describe_source(data_sheet, known), software | {"seed": str(seed)}
    known_worth = worth.Worth.select(data_sheet, audit_table, audit_verdict, colour_baseline)
    current, _ = _select_current(results, data_sheet, known)
    return {f"{result['backbone']}/model_card": pages.render_card(result, *facts, known_worth) for result in current}


def write_comparison(
    comparison: pd.DataFrame,
    differences: pd.DataFrame,
    data_sheet: dict[str, Any],
    known: DataSheetOptions,
    software: dict[str, Any],
    seed: int,
    audit_table: pd.DataFrame | None,
    *rest: Any,
) -> str:
    """Write the page that compares the backbones that were evaluated on these images.

    Args:
        comparison: One row a backbone.
        differences: One row a pair of backbones, or of a backbone and stain colour.
        data_sheet: The facts of the images.
        known: What people know of them.
        software: Versions, and the commit.
        seed: The one seed.
        audit_table: The ladder of the last audit, if there was one.
        rest: What it means; what stain colour alone reached on the last test images; and the result of each backbone,
            or ``None`` where it has none yet.

    Raises:
        InputError: None of the compared backbones has results on the present splits.
    """
    from leukoscope.reporting import pages, worth

    audit_verdict, colour_baseline, *results = rest
    facts = data_sheet, _describe_source(data_sheet, known), software | {"seed": str(seed)}
    known_worth = worth.Worth.select(data_sheet, audit_table, audit_verdict, colour_baseline)
    current, others = _select_current(results, data_sheet, known)
    current = [result for result in current if result["backbone"] in set(comparison["backbone"])]
    if not current:
        raise InputError(
            "No backbone that was compared has results on the present splits. Run `kedro run --pipelines comparison` "
            "before the reports, after training or evaluating one on them."
        )
    rows = comparison[comparison["backbone"].isin([result["backbone"] for result in current])]
    if not known.is_published(Origin(**data_sheet["origin"])):
        rows = rows.filter(regex="^(?!report_)")
    return pages.render_comparison(rows, differences, current, *facts, known_worth, others)


def _describe_source(data_sheet: dict[str, Any], known: DataSheetOptions) -> dict[str, str | None]:
    from leukoscope.reporting import sources

    return sources.describe(known.model_dump(), Origin(**data_sheet["origin"]))


def _select_current(
    results: Sequence[dict[str, Any] | None], data_sheet: dict[str, Any], known: DataSheetOptions
) -> tuple[list[dict[str, Any]], list[str]]:
    """Select what was evaluated on the splits that the data sheet describes, and name what was on others.

    The published study's figures are left out where the images are not the published ones: a result may have been
    gathered when something else was said of them.
    """
    from leukoscope.reporting import sources

    there = compatibility.select_results(results)
    current = [result for result in there if result["training"]["splits"] == data_sheet["splits_fingerprint"]]
    others = [result["title"] for result in there if result not in current]
    if known.is_published(Origin(**data_sheet["origin"])):
        return current, others
    return [sources.hide_published(result) for result in current], others
