"""Render self-contained pages and model cards with Jinja."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.drawn import warn_of_images, warn_of_reader
from leukoscope.core.storage import as_records
from leukoscope.evaluation.confirmation import explain_changes
from leukoscope.evaluation.intervals import FEW_GROUPS_WITH_ERRORS, METHODS
from leukoscope.evaluation.metrics import list_compared
from leukoscope.evaluation.out_of_distribution import LEAST_AUC, NO_LIMIT, describe_missed
from leukoscope.figures import comparison as comparisons
from leukoscope.figures import flow, ladder, overview, robustness
from leukoscope.figures.svg import to_svg
from leukoscope.images.origin import Origin
from leukoscope.reporting import links, metric_tables, numbers, verdicts
from leukoscope.reporting.checklists import GUIDELINES, locate
from leukoscope.reporting.filters import name_normaliser, page_environment
from leukoscope.reporting.frame import NO_FRAME, Frame
from leukoscope.reporting.pictures import draw_glance, draw_models, draw_result
from leukoscope.reporting.results import select_curves
from leukoscope.reporting.sections import read_sections
from leukoscope.reporting.worth import UNKNOWN, Worth


def render_model(
    result: Mapping[str, Any],
    data: Mapping[str, Any],
    known: Mapping[str, str | None],
    provenance: Mapping[str, Any],
    worth: Worth = UNKNOWN,
    *,
    differences: pd.DataFrame | None = None,
    frame: Frame = NO_FRAME,
) -> str:
    """Render the page of one classifier.

    Args:
        result: The evaluation's result.
        data: Facts about the images, from ``describe_data`` or ``describe_images``.
        known: Facts about the images and the classifier's use that people stated, and no computation can find.
        provenance: Software, commit and seed of this report.
        worth: Reference results for judging accuracies on these images.
        differences: One row per pair; the page shows that of the model with stain colour alone.
        frame: The header of the page.
    """
    drawn = draw_glance(result) | {"flow": flow.draw_flow(data), **draw_result(result), **_draw_audit(worth, data)}
    facts: dict[str, Any] = {"result": result, "data": data, "provenance": provenance, "worth": worth}
    facts |= _introduce_model(result, worth, differences, frame)
    facts |= {"origin": describe_origin(result, provenance), "warnings": warn_of_drawn(data, result)}
    facts |= {"missed": _list_missed(result), "least_auc": LEAST_AUC, "no_limit": NO_LIMIT}
    facts |= _list_metrics(result) | {"numbers": _list_numbers(result, worth)}
    return _render("model.html", drawn, known, **facts)


def _introduce_model(
    result: Mapping[str, Any], worth: Worth, differences: pd.DataFrame | None, frame: Frame
) -> dict[str, Any]:
    """Collect the top of a model's page: its header, its verdict and the links to other pages."""
    model = result["model"]
    is_test = result["split"] == "test"
    page = links.name_report(model) if is_test else links.name_external(model)
    accuracy = result["metrics"].get("test_accuracy")
    pair = verdicts.find_colour_pair(model, accuracy, differences, worth.baseline) if is_test else None
    return {
        "frame": frame,
        "pair": pair,
        "verdict": verdicts.judge_model(result, pair, worth.baseline, worth.verdict),
        "links": links.list_links(page, frame.pages, is_audited=worth.ladder is not None, own=model),
    }


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
    frame: Frame = NO_FRAME,
) -> str:
    """Render the comparison of models on the same test images.

    Args:
        comparison: One row per model.
        differences: One row per pair of models, or of a model and stain colour.
        results: The evaluations' results of the same models.
        data: Facts about the images.
        known: Facts about the images that people stated, and no computation can find.
        provenance: Software, commit and seed of this report.
        worth: Reference results for judging accuracies on these images.
        left_out: Titles of models whose results are of other splits.
        doubts: What a search for doubtful labels in these images found; ``None`` if no search was run.
        frame: The header of the page.
    """
    models = as_records(comparison)
    head = _introduce_comparison(models, differences, worth, frame, results[0]["confidence"])
    better = [verdicts.is_better(head["colour_pairs"][row["model"]]) for row in models]
    drawn = {
        "overview": overview.draw_overview(models, better, worth.baseline),
        **draw_models(results),
        "flow": flow.draw_flow(data),
        "comparison": comparisons.draw_comparison(comparison, worth.baseline),
        "robustness": robustness.draw_strongest(
            {result["title"]: pd.DataFrame(result["robustness"]) for result in results}
        ),
        **_draw_audit(worth, data),
    }
    titles = comparison.set_index("model")["title"].to_dict() | {COLOUR_BASELINE: "stain colour alone"}
    named = {name: differences[name].map(titles) for name in ("first", "second")}
    pairs = differences.assign(**named, with_colour=differences["second"] == COLOUR_BASELINE)
    return _render(
        "comparison.html",
        drawn,
        known,
        **head,
        models=models,
        compared=[f"test_{name}" for name in list_compared()],
        pairs=as_records(pairs),
        changed=explain_changes(differences.get("changed", ())),
        votes={result["title"]: result["vote"] for result in results if result.get("vote")},
        normalisers={result["title"]: name for result in results if (name := name_normaliser(result["training"]))},
        origins={result["title"]: describe_origin(result, provenance) for result in results},
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


def _introduce_comparison(
    models: Sequence[Mapping[str, Any]], differences: pd.DataFrame, worth: Worth, frame: Frame, confidence: float
) -> dict[str, Any]:
    """Collect the top of the comparison page."""
    page = "comparison.html"
    blind = worth.baseline
    pairs = {
        row["model"]: verdicts.find_colour_pair(row["model"], row["test_accuracy"], differences, blind)
        for row in models
    }
    return {
        "frame": frame,
        "colour_pairs": pairs,
        "verdict": verdicts.judge_comparison(models, pairs, blind, confidence, worth.verdict),
        "links": links.list_links(page, frame.pages),
        "pages_of": links.link_models(page, frame.pages, {row["model"]: row["title"] for row in models}),
    }


def render_card(
    result: Mapping[str, Any],
    data: Mapping[str, Any],
    known: Mapping[str, str | None],
    provenance: Mapping[str, Any],
    worth: Worth = UNKNOWN,
) -> str:
    """Render a model card in Markdown, with the sections of Mitchell et al. 2019, Model cards for model reporting.

    Args:
        result: The evaluation's result.
        data: Facts about the images.
        known: Facts about the images and the classifier's use that people stated, and no computation can find.
        provenance: Software, commit and seed of this report.
        worth: Reference results for judging accuracies on these images.
    """
    facts = {"result": result, "data": data, "known": known, "worth": worth, "methods": METHODS}
    facts |= {"origin": describe_origin(result, provenance), "warnings": warn_of_drawn(data, result)}
    facts |= {"missed": _list_missed(result)} | _list_metrics(result)
    return page_environment().get_template("card.md").render(facts)


def warn_of_drawn(data: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> list[str]:
    """Return warnings on drawn images: the page's own, and those that a classifier of other images was trained on.

    Args:
        data: Facts about the page's images.
        result: The classifier's result, if the page is about one.
    """
    origin = Origin(**data["origin"])
    warnings = [warn_of_images(origin.drawn, origin.images)]
    if result is not None and result["split"] != "test":
        summary = result["summary"]
        warnings.append(warn_of_reader(summary.get("drawn_images"), summary.get("accepted_images", 0)))
    return [warning for warning in warnings if warning]


def describe_origin(result: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the software that a classifier was trained with, and how the report's own differs.

    Args:
        result: The evaluation's result.
        provenance: Software, commit and seed of this report.

    Returns:
        ``recorded`` (whether the training recorded it), ``trained`` (the report's own if not) and ``later``.
    """
    trained = result["training"].get("provenance")
    if not trained:
        return {"recorded": False, "trained": dict(provenance), "later": {}}
    later = {name: value for name, value in provenance.items() if trained.get(name) != value}
    return {"recorded": True, "trained": trained, "later": later}


def _draw_audit(worth: Worth, data: Mapping[str, Any]) -> dict[str, Figure]:
    if worth.ladder is None:
        return {}
    accepted = [class_facts["accepted"] for class_facts in data["classes"]]
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
    """List the metrics: ``rows`` by section, the ``primary`` ones, and those with a ``calibrated`` counterpart."""
    rows = metric_tables.list_rows(len(result["class_names"]))
    return {"rows": rows, "primary": metric_tables.list_primary(), "calibrated": metric_tables.list_calibrated()}


def _list_missed(result: Mapping[str, Any]) -> list[str]:
    return describe_missed(result["outliers"], result["calibration"]["ood_limit"])


def _render(template: str, drawn: Mapping[str, Figure], known: Mapping[str, Any], **facts: Any) -> str:
    """Render a page twice: the first rendering shows which guideline items it covers."""
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
