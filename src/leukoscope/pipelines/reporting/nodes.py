"""Bring together what is known of images and classifiers, for people to read."""

import logging
from typing import Any

import pandas as pd

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
    *results: dict[str, Any] | None,
) -> dict[str, str]:
    """Write the page of every backbone that was evaluated on these images.

    Args:
        data_sheet: The facts of the images.
        known: What people know of them.
        software: Versions, and the commit.
        seed: The one seed.
        audit_table: The ladder, if the images were audited.
        audit_verdict: And what it means.
        results: One for each backbone, or ``None`` where it has none yet.

    Returns:
        HTML by ``<backbone>/report``.
    """
    from leukoscope.reporting import pages

    facts = data_sheet, known.model_dump(), software | {"seed": str(seed)}
    return {
        f"{result['backbone']}/report": pages.render_backbone(result, *facts, audit_table, audit_verdict)
        for result in _select_current(results, data_sheet)
    }


def write_model_cards(
    data_sheet: dict[str, Any],
    known: DataSheetOptions,
    software: dict[str, Any],
    seed: int,
    audit_verdict: str | None,
    *results: dict[str, Any] | None,
) -> dict[str, str]:
    """Write the model card of every backbone that was evaluated on these images.

    Args:
        data_sheet: The facts of the images.
        known: What people know of them.
        software: Versions, and the commit.
        seed: The one seed.
        audit_verdict: What the audit found, if there was one.
        results: One for each backbone, or ``None`` where it has none yet.

    Returns:
        Markdown by ``<backbone>/model_card``.
    """
    from leukoscope.reporting import pages

    facts = data_sheet, known.model_dump(), software | {"seed": str(seed)}
    return {
        f"{result['backbone']}/model_card": pages.render_card(result, *facts, audit_verdict)
        for result in _select_current(results, data_sheet)
    }


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
    """Write the page that compares the backbones.

    Args:
        comparison: One row a backbone.
        differences: One row a pair of backbones.
        data_sheet: The facts of the images.
        known: What people know of them.
        software: Versions, and the commit.
        seed: The one seed.
        audit_table: The ladder, if the images were audited.
        rest: What it means, if they were; and the result of each backbone, or ``None`` where it has none yet.
    """
    from leukoscope.reporting import pages

    audit_verdict, *results = rest
    there = [result for result in results if result is not None]
    facts = data_sheet, known.model_dump(), software | {"seed": str(seed)}
    return pages.render_comparison(comparison, differences, there, *facts, audit_table, audit_verdict)


def _select_current(results: tuple[dict[str, Any] | None, ...], data_sheet: dict[str, Any]) -> list[dict[str, Any]]:
    """Leave out what was evaluated on other splits than the data sheet describes."""
    there = [result for result in results if result is not None]
    current = [result for result in there if result["training"]["splits"] == data_sheet["splits_fingerprint"]]
    for result in there:
        if result not in current:
            logger.warning("%s was evaluated on other splits: its report stays as it is", result["title"])
    return current
