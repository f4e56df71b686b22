"""The page of a study."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from leukoscope.core.storage import as_records
from leukoscope.evaluation.crossed import SEEDS_FOR_REAL
from leukoscope.evaluation.folds import FIGURES
from leukoscope.evaluation.metrics import METRICS
from leukoscope.figures import study as figures
from leukoscope.figures.confusion import draw_confusion
from leukoscope.figures.svg import to_svg
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.frame import Frame, warn_of_manifest
from leukoscope.reporting.links import link_models, list_links
from leukoscope.reporting.verdicts import judge_study
from leukoscope.study.results import count_confusion
from leukoscope.study.running import FAILED

_PAGE = "study.html"


class Tables(NamedTuple):
    """All tables of a study.

    Attributes:
        models: One row per model.
        units: One row per unit.
        differences: One row per pair.
        predictions: Pooled predictions of each model with a complete seed.
        histories: One row per epoch of a unit.
    """

    models: pd.DataFrame
    units: pd.DataFrame
    differences: pd.DataFrame
    predictions: Mapping[str, pd.DataFrame]
    histories: pd.DataFrame


def render_study(
    tables: Tables,
    titles: Mapping[str, str],
    evaluations: Sequence[Mapping[str, Any]],
    manifest: pd.DataFrame,
    frame: Frame,
    class_names: Sequence[str],
    confidence: float,
) -> str:
    """Render the page of a study.

    Args:
        tables: All tables of the study.
        titles: Titles of its models.
        evaluations: All evaluations ever recorded, for counting how often test images were used.
        manifest: All images.
        frame: The header of the page.
        class_names: The classes in order.
        confidence: Confidence level of the intervals.
    """
    pairs = tables.differences.assign(
        **{name: tables.differences[name].map(dict(titles)) for name in ("first", "second")}
    )
    units = tables.units.assign(title=tables.units["model"].map(dict(titles)))
    models = as_records(tables.models.assign(title=tables.models["model"].map(dict(titles))))
    plots = {name: to_svg(figure, name) for name, figure in _draw(tables, titles, class_names).items()}
    return (
        page_environment()
        .get_template("study.html")
        .render(
            plots=plots,
            confusions={name: titles[name] for name in tables.predictions},
            models=models,
            frame=frame,
            verdict=judge_study(models, as_records(pairs), confidence),
            links=list_links(_PAGE, frame.pages),
            pages_of=link_models(_PAGE, frame.pages, titles),
            figures={name: METRICS[name].title for name in FIGURES},
            units=as_records(units),
            failed=as_records(units[units["state"] == FAILED]),
            chosen=_list_chosen(units),
            pairs=as_records(pairs),
            seeds=sorted(tables.units["seed"].unique().tolist()),
            looks=_count_looks(evaluations, fingerprint_manifest(manifest)),
            seeds_for_real=SEEDS_FOR_REAL,
            confidence=confidence,
            provenance=frame.provenance,
            warnings=warn_of_manifest(manifest),
        )
    )


def _list_chosen(units: pd.DataFrame) -> list[dict[str, Any]]:
    """List the hyperparameters that each fold chose, for each model that was searched within folds."""
    known = units[units["chosen"].fillna("").astype(bool)] if "chosen" in units else units.head(0)
    models = []
    for title, own in known.groupby("title", sort=False):
        values = [json.loads(chosen) for chosen in own["chosen"]]
        rows = [
            {"fold": unit.fold, "folds": unit.folds, "seed": unit.seed, "values": list(chosen.values())}
            for unit, chosen in zip(own.itertuples(), values, strict=True)
        ]
        models.append({"title": title, "names": list(values[0]), "rows": rows})
    return models


def _draw(tables: Tables, titles: Mapping[str, str], class_names: Sequence[str]) -> dict[str, Figure]:
    drawn = {"estimates": figures.draw_estimates(tables.models, tables.units, titles)}
    if len(tables.differences):
        drawn["differences"] = figures.draw_differences(tables.differences, titles)
    if len(tables.histories):
        drawn["histories"] = figures.draw_histories(tables.histories, titles)
    for name, table in tables.predictions.items():
        drawn[f"confusion-{name}"] = draw_confusion(count_confusion(table, class_names).tolist(), class_names)
    return drawn


def _count_looks(evaluations: Sequence[Mapping[str, Any]], data: str) -> dict[str, int]:
    """Count the trained models evaluated on any of these images, and on the test set with the most such models."""
    own = [row for row in evaluations if row.get("data") == data]
    by_test: dict[str, set[str]] = {}
    for row in own:
        by_test.setdefault(row["test"], set()).add(row["model_fingerprint"])
    models = {row["model_fingerprint"] for row in own}
    return {"models": len(models), "sets": len(by_test), "most": max(map(len, by_test.values()), default=0)}
