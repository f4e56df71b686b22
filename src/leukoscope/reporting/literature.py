"""What others published, beside what the same systems reach here, on the same splits."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import Field, model_validator

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.commands import name_run
from leukoscope.core.options import Options
from leukoscope.core.storage import as_records
from leukoscope.reporting.context import PageContext
from leukoscope.reporting.pages import page_environment, warn_of_drawn

KNOWN_FROM = {
    "paper": "the paper or its abstract",
    "code": "the authors' code",
    "report": "the report that this project implements, which quotes it",
}


class PublishedDataSet(Options):
    """A data set on which figures were published.

    Attributes:
        title: What it is.
        classes: How many it has, where that is known.
        is_ours: Whether it is the one that this project was made for.
    """

    title: str
    classes: int | None
    is_ours: bool = False


class PublishedSystem(Options):
    """A system and its published figures.

    Attributes:
        system: What it is.
        source: Who published it, and when.
        data: On which data set, by its name among ``data_sets``.
        split: How test images were kept apart from those of training.
        figures: By name, as shares.
        known_from: How the figures are known, one of ``KNOWN_FROM``.
        entry: The model entry that is such a system here.
        note: What a reader of the figures has to know.
    """

    system: str
    source: str
    data: str
    split: str
    figures: dict[str, float] = Field(min_length=1)
    known_from: Literal["paper", "code", "report"]
    entry: str
    note: str = ""


class Literature(Options):
    """All published systems, and the data sets of their figures."""

    data_sets: dict[str, PublishedDataSet]
    systems: list[PublishedSystem]

    @model_validator(mode="after")
    def _require_data_sets(self) -> "Literature":
        for system in self.systems:
            if system.data not in self.data_sets:
                raise ValueError(f"{system.source} names the data set {system.data}, which data_sets does not have")
        return self


def read_literature() -> Literature:
    """Read the published figures that come with this package."""
    content = files("leukoscope.reporting").joinpath("literature.yml").read_text()
    return Literature.model_validate(yaml.safe_load(content))


def place_beside(
    literature: Literature, comparison: pd.DataFrame, differences: pd.DataFrame
) -> dict[str, list[dict[str, Any]]]:
    """Place what models reach here beside the published figures.

    Args:
        literature: The published systems.
        comparison: One row a model that was evaluated on the present test images.
        differences: One row a pair of models, or of a model and stain colour, on the same images.

    Returns:
        Rows by data set, in the order of ``data_sets``: the facts of the system, and as ``ours`` the model's title, its
        ``test_accuracy`` with ends, ``to_colour`` and ``to_best``; ``None`` where it was not trained on these splits.
    """
    ours = _describe_models(comparison, differences)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in literature.data_sets}
    for system in literature.systems:
        rows[system.data].append(system.model_dump() | {"ours": ours.get(system.entry)})
    return {name: systems for name, systems in rows.items() if systems}


def list_others(literature: Literature, comparison: pd.DataFrame, differences: pd.DataFrame) -> list[dict[str, Any]]:
    """List the models that stand for no published system, as ``ours`` of ``place_beside`` has them."""
    published = {system.entry for system in literature.systems}
    models = _describe_models(comparison, differences)
    return [figures for name, figures in models.items() if name not in published]


def _describe_models(comparison: pd.DataFrame, differences: pd.DataFrame) -> dict[str, dict[str, Any]]:
    if comparison.empty:
        return {}
    best = comparison.loc[comparison["test_accuracy"].idxmax()]
    described = {}
    for row in as_records(comparison):
        name = row["backbone"]
        described[name] = {
            "title": row["title"],
            "test_accuracy": row["test_accuracy"],
            "test_accuracy_low": row["test_accuracy_low"],
            "test_accuracy_high": row["test_accuracy_high"],
            "to_colour": find_difference(differences, name, COLOUR_BASELINE),
            "to_best": find_difference(differences, name, best["backbone"]) | {"best": best["title"]}
            if name != best["backbone"]
            else None,
        }
    return described


def find_difference(differences: pd.DataFrame, first: str, second: str) -> dict[str, Any]:
    """Find the difference of one model to another, whichever of them the table has first.

    Args:
        differences: One row a pair; ``difference``, ``low`` and ``high`` are of the first less the second.
        first: A model.
        second: Another, or stain colour.

    Returns:
        ``difference, low, high, shown``; empty where the pair was not compared.
    """
    for row in as_records(differences):
        pair = (row["first"], row["second"])
        if pair == (first, second):
            return {name: row[name] for name in ("difference", "low", "high", "shown")}
        if pair == (second, first):
            return {
                "difference": -row["difference"],
                "low": _negate(row["high"]),
                "high": _negate(row["low"]),
                "shown": row["shown"],
            }
    return {}


def _negate(value: float | None) -> float | None:
    return None if value is None else -value


def render_literature(
    comparison: pd.DataFrame, differences: pd.DataFrame, context: PageContext, entries: Sequence[str]
) -> str:
    """Render the published figures, and ours beside them.

    Args:
        comparison: One row a model that was evaluated on the present test images.
        differences: One row a pair of models, or of a model and stain colour, on the same images.
        context: What every page says of the images.
        entries: The names of all model entries, trained or not.
    """
    literature = read_literature()
    rows = place_beside(literature, comparison, differences)
    known_from: list[str] = [system.known_from for system in literature.systems]
    return (
        page_environment()
        .get_template("literature.html")
        .render(
            systems=literature.systems,
            data_sets=literature.data_sets,
            rows=rows,
            trained=sum(row["ours"] is not None for systems in rows.values() for row in systems),
            others=list_others(literature, comparison, differences),
            known_from={words: known_from.count(name) for name, words in KNOWN_FROM.items()},
            commands={name: name_run(f"train_{name}") for name in entries},
            is_published=context.is_published,
            data=context.data_sheet,
            provenance=context.software,
            worth=context.worth,
            warnings=warn_of_drawn(context.data_sheet),
        )
    )
