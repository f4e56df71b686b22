"""Published results of other systems, next to what the same systems reach here on the same splits."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Literal

import pandas as pd
import yaml
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.commands import name_run
from leukoscope.core.options import Options
from leukoscope.core.storage import as_records
from leukoscope.evaluation.scoring import ENDS
from leukoscope.figures.overview import draw_overview
from leukoscope.figures.svg import to_svg
from leukoscope.reporting.context import PageContext
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.links import link_models, list_links
from leukoscope.reporting.pages import warn_of_drawn
from leukoscope.reporting.verdicts import is_better, judge_literature

_PAGE = "literature.html"

KNOWN_FROM = {
    "paper": "the paper or its abstract",
    "code": "the authors' code",
    "report": "the report that this project implements, which quotes it",
}


class PublishedSystem(Options):
    """A system and its published figures.

    Attributes:
        system: Description of the system.
        source: Who published it, and when.
        data: The data set, by its name in ``data_sets``.
        split: How test images were separated from training images.
        figures: Published metrics by name, as shares.
        known_from: Where the figures come from, one of ``KNOWN_FROM``.
        entry: The model entry that implements such a system here.
        note: What readers of the figures need to know.
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
    """All published systems.

    Attributes:
        data_sets: Titles of the data sets, by name.
        systems: The systems in the order of the page.
    """

    data_sets: dict[str, str]
    systems: list[PublishedSystem]

    @model_validator(mode="after")
    def _require_data_sets(self) -> "Literature":
        for system in self.systems:
            if system.data not in self.data_sets:
                raise ValueError(f"{system.source} names the data set {system.data}, which data_sets does not have")
        return self


def read_literature() -> Literature:
    """Read the published figures that are shipped with the package."""
    content = files("leukoscope.reporting").joinpath("literature.yml").read_text()
    return Literature.model_validate(yaml.safe_load(content))


def describe_models(comparison: pd.DataFrame, differences: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Collect what the page shows of each model.

    Args:
        comparison: One row per model evaluated on the present test images.
        differences: One row per pair of models, or of a model and stain colour, on the same images.

    Returns:
        By the model's name: ``model``, ``title``, ``test_accuracy`` with its ends, and, from ``find_difference``,
        ``to_colour`` and ``to_best``, which is ``None`` for the best model.
    """
    if comparison.empty:
        return {}
    pairs = as_records(differences)
    best = comparison.loc[comparison["test_accuracy"].idxmax()]
    described = {}
    for row in as_records(comparison):
        name = row["model"]
        to_best = find_difference(pairs, name, best["model"]) | {"best": best["title"]}
        described[name] = {
            **{figure: row[figure] for figure in ("model", "title", *(f"test_accuracy{end}" for end in ("", *ENDS)))},
            "to_colour": find_difference(pairs, name, COLOUR_BASELINE),
            "to_best": None if name == best["model"] else to_best,
        }
    return described


def find_difference(pairs: Sequence[Mapping[str, Any]], first: str, second: str) -> dict[str, Any]:
    """Find the difference between two models, in whichever order the pair was compared.

    Args:
        pairs: Compared pairs; ``difference``, ``low`` and ``high`` are the first model minus the second.
        first: The first model.
        second: The second model, or stain colour.

    Returns:
        ``difference, low, high, shown``; empty if the pair was not compared.
    """
    for pair in pairs:
        names = (pair["first"], pair["second"])
        if names == (first, second):
            return {name: pair[name] for name in ("difference", "low", "high", "shown")}
        if names == (second, first):
            low = _negate(pair["high"])
            high = _negate(pair["low"])
            return {"difference": -pair["difference"], "low": low, "high": high, "shown": pair["shown"]}
    return {}


def _negate(value: float | None) -> float | None:
    return None if value is None else -value


def place_beside(literature: Literature, models: Mapping[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Combine the published figures with what models reach here.

    Args:
        literature: The published systems.
        models: Models from ``describe_models``.

    Returns:
        Rows by data set, in the order of ``data_sets``: the facts of the system, and as ``ours`` the model, ``None``
        if it was not trained on these splits.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in literature.data_sets}
    for system in literature.systems:
        rows[system.data].append(system.model_dump() | {"ours": models.get(system.entry)})
    return {name: systems for name, systems in rows.items() if systems}


def list_others(literature: Literature, models: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """List the models that correspond to no published system.

    Args:
        literature: The published systems.
        models: Models from ``describe_models``.
    """
    published = {system.entry for system in literature.systems}
    return [model for name, model in models.items() if name not in published]


def render_literature(
    comparison: pd.DataFrame, differences: pd.DataFrame, context: PageContext, entries: Sequence[str]
) -> str:
    """Render the page of published figures next to our own.

    Args:
        comparison: One row per model evaluated on the present test images.
        differences: One row per pair of models, or of a model and stain colour, on the same images.
        context: The facts about the images that every page shows.
        entries: Names of all model entries, trained or not.
    """
    literature = read_literature()
    models = describe_models(comparison, differences)
    rows = place_beside(literature, models)
    trained = sum(row["ours"] is not None for systems in rows.values() for row in systems)
    known_from: list[str] = [system.known_from for system in literature.systems]
    drawn = _draw(models, rows, context) if models else {}
    baseline = context.worth.baseline
    pages = context.frame.pages
    return (
        page_environment()
        .get_template("literature.html")
        .render(
            data_sets=literature.data_sets,
            rows=rows,
            others=list_others(literature, models),
            known_from={words: known_from.count(name) for name, words in KNOWN_FROM.items()},
            commands={name: name_run(f"train_{name}") for name in entries},
            plots={name: to_svg(figure, name) for name, figure in drawn.items()},
            frame=context.frame,
            verdict=judge_literature(list(models.values()), len(literature.systems), trained, baseline),
            links=list_links(_PAGE, pages),
            pages_of=link_models(_PAGE, pages, {name: model["title"] for name, model in models.items()}),
            is_published=context.is_published,
            data=context.data_sheet,
            provenance=context.software,
            worth=context.worth,
            warnings=warn_of_drawn(context.data_sheet),
        )
    )


def _draw(
    models: Mapping[str, dict[str, Any]], rows: Mapping[str, Sequence[Mapping[str, Any]]], context: PageContext
) -> dict[str, Figure]:
    """Draw our models; if the images are real, also the published figures on fields, as hollow marks."""
    published: dict[str, float | None] = {}
    if context.is_published:
        for row in rows.get("fields", ()):
            published.setdefault(row["entry"], row["figures"].get("accuracy"))
    better = [is_better(model["to_colour"] or None) for model in models.values()]
    marks = [published.get(name) for name in models]
    return {"overview": draw_overview(list(models.values()), better, context.worth.baseline, marks)}
