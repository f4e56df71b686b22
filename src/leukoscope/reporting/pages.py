"""Pages that stand alone, and cards, rendered by Jinja."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.drawn import warn_of_images, warn_of_reader
from leukoscope.core.options import plain_name
from leukoscope.core.storage import as_records
from leukoscope.evaluation.confirmation import explain_changes
from leukoscope.evaluation.intervals import FEW_GROUPS_WITH_ERRORS, METHODS
from leukoscope.evaluation.metrics import list_compared
from leukoscope.evaluation.out_of_distribution import LEAST_AUC, NO_LIMIT, describe_missed
from leukoscope.figures import comparison as comparisons
from leukoscope.figures import flow, ladder, robustness
from leukoscope.figures.svg import to_svg
from leukoscope.images.origin import Origin
from leukoscope.reporting import metric_tables, numbers
from leukoscope.reporting.checklists import GUIDELINES, NOT_STATED, locate
from leukoscope.reporting.html import make_environment
from leukoscope.reporting.pictures import draw_result
from leukoscope.reporting.results import select_curves
from leukoscope.reporting.sections import read_sections
from leukoscope.reporting.worth import UNKNOWN, Worth

_ABBREVIATIONS = {word: word.upper() for word in ("auc", "auprc", "ece", "f1", "ppv", "npv")} | {
    "cohen": "Cohen's",
    "matthews": "Matthews",
    "mib": "(MiB)",
}


def render_model(
    result: Mapping[str, Any],
    data: Mapping[str, Any],
    known: Mapping[str, str | None],
    provenance: Mapping[str, Any],
    worth: Worth = UNKNOWN,
) -> str:
    """Render all that is known of one classifier.

    Args:
        result: As the evaluation gathers it.
        data: The facts of the images, as ``describe_data`` or ``describe_images`` gives them.
        known: What people know of the images and the classifier's use, and no computation can.
        provenance: Software, commit and seed of this report.
        worth: What accuracies on these images are worth.
    """
    drawn = {"flow": flow.draw_flow(data), **draw_result(result), **_draw_audit(worth, data)}
    facts: dict[str, Any] = {"result": result, "data": data, "provenance": provenance, "worth": worth}
    facts |= {"origin": describe_origin(result, provenance), "warnings": warn_of_drawn(data, result)}
    facts |= {"missed": _list_missed(result), "least_auc": LEAST_AUC, "no_limit": NO_LIMIT}
    facts |= _list_metrics(result) | {"numbers": _list_numbers(result, worth)}
    return _render("model.html", drawn, known, **facts)


def render_comparison(  # noqa: PLR0913 (a data set each)
    comparison: pd.DataFrame,
    differences: pd.DataFrame,
    results: Sequence[Mapping[str, Any]],
    data: Mapping[str, Any],
    known: Mapping[str, str | None],
    provenance: Mapping[str, Any],
    worth: Worth = UNKNOWN,
    left_out: Sequence[str] = (),
    *,
    doubts: Mapping[str, Any] | None = None,
) -> str:
    """Render the comparison of models on the same test images.

    Args:
        comparison: One row a model.
        differences: One row a pair of models, or of a model and stain colour.
        results: Of the same models, as the evaluation gathers them.
        data: The facts of the images.
        known: What people know of the images, and no computation can.
        provenance: Software, commit and seed of this report.
        worth: What accuracies on these images are worth.
        left_out: The titles of models whose results are of other splits.
        doubts: What was found of doubtful labels in these images; ``None`` where nobody looked.
    """
    drawn = {
        "flow": flow.draw_flow(data),
        "comparison": comparisons.draw_comparison(comparison, worth.baseline),
        "robustness": robustness.draw_strongest({one["title"]: pd.DataFrame(one["robustness"]) for one in results}),
        **_draw_audit(worth, data),
    }
    titles = comparison.set_index("model")["title"].to_dict() | {COLOUR_BASELINE: "stain colour alone"}
    named = {name: differences[name].map(titles) for name in ("first", "second")}
    pairs = differences.assign(**named, with_colour=differences["second"] == COLOUR_BASELINE)
    return _render(
        "comparison.html",
        drawn,
        known,
        models=as_records(comparison),
        compared=[f"test_{name}" for name in list_compared()],
        pairs=as_records(pairs),
        changed=explain_changes(differences.get("changed", ())),
        votes={one["title"]: one["vote"] for one in results if one.get("vote")},
        origins={one["title"]: describe_origin(one, provenance) for one in results},
        data=data,
        provenance=provenance,
        worth=worth,
        numbers={"ladder": _list_ladder(worth), "strongest": numbers.list_strongest(results)},
        left_out=left_out,
        doubts=doubts,
        confidence=results[0]["confidence"],
        error_groups=min((result["metrics"]["test_error_groups"] for result in results), default=None),
        warnings=warn_of_drawn(data),
    )


def render_card(
    result: Mapping[str, Any],
    data: Mapping[str, Any],
    known: Mapping[str, str | None],
    provenance: Mapping[str, Any],
    worth: Worth = UNKNOWN,
) -> str:
    """Render a model card in Markdown, with the sections of Mitchell et al. 2019, Model cards for model reporting.

    Args:
        result: As the evaluation gathers it.
        data: The facts of the images.
        known: What people know of the images and the classifier's use, and no computation can.
        provenance: Software, commit and seed of this report.
        worth: What accuracies on these images are worth.
    """
    facts = {"result": result, "data": data, "known": known, "worth": worth, "methods": METHODS}
    facts |= {"origin": describe_origin(result, provenance), "warnings": warn_of_drawn(data, result)}
    facts |= {"missed": _list_missed(result)} | _list_metrics(result)
    return page_environment().get_template("card.md").render(facts)


def warn_of_drawn(data: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> list[str]:
    """Say which images are drawn: those of the page, and those that a classifier of other images learned from.

    Args:
        data: The facts of the page's images.
        result: Of the classifier, if the page is about one.
    """
    origin = Origin(**data["origin"])
    warnings = [warn_of_images(origin.drawn, origin.images)]
    if result is not None and result["split"] != "test":
        summary = result["summary"]
        warnings.append(warn_of_reader(summary.get("drawn_images"), summary.get("accepted_images", 0)))
    return [warning for warning in warnings if warning]


def describe_origin(result: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Say with what software a classifier was trained, and in what the report's own differs.

    Args:
        result: As the evaluation gathers it.
        provenance: Software, commit and seed of this report.

    Returns:
        ``recorded`` (whether the training recorded any), ``trained`` (the report's own where it did not) and ``later``.
    """
    trained = result["training"].get("provenance")
    if not trained:
        return {"recorded": False, "trained": dict(provenance), "later": {}}
    later = {name: one for name, one in provenance.items() if trained.get(name) != one}
    return {"recorded": True, "trained": trained, "later": later}


def _draw_audit(worth: Worth, data: Mapping[str, Any]) -> dict[str, Figure]:
    if worth.ladder is None:
        return {}
    accepted = [one["accepted"] for one in data["classes"]]
    return {"audit": ladder.draw_ladder(worth.ladder, max(accepted) / sum(accepted))}


def _list_numbers(result: Mapping[str, Any], worth: Worth) -> dict[str, Any]:
    return {
        "roc": numbers.list_operating_points(select_curves(result)),
        "bins": numbers.list_bins(result["reliability"]),
        "coverages": numbers.list_coverages(result["risk"]),
        "ladder": _list_ladder(worth),
    }


def _list_ladder(worth: Worth) -> list[dict[str, Any]]:
    return [] if worth.ladder is None else numbers.list_ladder(worth.ladder)


def _list_metrics(result: Mapping[str, Any]) -> dict[str, Any]:
    """List the metrics: ``rows`` by section, the ``primary`` ones, and those that are ``calibrated``, too."""
    rows = metric_tables.list_rows(len(result["class_names"]))
    return {"rows": rows, "primary": metric_tables.list_primary(), "calibrated": metric_tables.list_calibrated()}


def _list_missed(result: Mapping[str, Any]) -> list[str]:
    return describe_missed(result["outliers"], result["calibration"]["ood_limit"])


def _render(template: str, drawn: Mapping[str, Figure], known: Mapping[str, Any], **facts: Any) -> str:
    """Render a page twice: what it has of the guidelines is looked up in the page itself."""
    page = page_environment().get_template(template)
    facts |= {
        "plots": {name: to_svg(figure, name) for name, figure in drawn.items()},
        "sensitivities": numbers.SENSITIVITIES,
        "few_groups": FEW_GROUPS_WITH_ERRORS,
        "methods": METHODS,
        "known": known,
    }
    sections = read_sections(page.render(facts, guidelines={}))
    guidelines = {
        name: locate(items, sections, known, bool(facts["data"].get("by_patient_table")))
        for name, items in GUIDELINES.items()
    }
    return page.render(facts, guidelines=guidelines)


@cache
def page_environment() -> jinja2.Environment:
    """Make the environment of the pages, with the filters that their templates use."""
    environment = make_environment("reporting/templates")
    environment.filters |= {
        "figure": _format_figure,
        "words": _put_into_words,
        "plain": plain_name,
        "combine": _combine,
        "without": _leave_out,
        "select": _select,
        "rename": _rename,
        "markdown": _escape_markdown,
        "stated": lambda value: value or NOT_STATED,
    }
    environment.tests["defined_number"] = _is_number
    return environment


def _format_figure(value: Any) -> str:
    """Write a number as people read it; what is undefined is said to be so."""
    if value is None or pd.isna(value):
        return "undefined"
    if isinstance(value, float) and (abs(value) >= 1000 or (abs(value) > 1 and value.is_integer())):
        return f"{value:,.0f}"
    if isinstance(value, float):
        return f"{value:.3f}" if 0.001 <= abs(value) < 100 or not value else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _put_into_words(name: str) -> str:
    """Write a metric's or column's name as people do."""
    return " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))


def _escape_markdown(text: str) -> str:
    """Let a name of the user's stand in Markdown as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not pd.isna(value)


def _select(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Select fields of a data sheet, with words for what is not stated."""
    return {name: table.get(name) or NOT_STATED for name in names}


def _rename(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in table.items()}


def _leave_out(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


def _combine(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {**first, **second}
