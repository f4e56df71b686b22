"""The Jinja environment of the page templates, with its filters for numbers and names."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
import pandas as pd

from leukoscope.core.options import plain_name
from leukoscope.reporting.checklists import NOT_STATED
from leukoscope.reporting.glossary import TERMS, explain, sort_terms
from leukoscope.reporting.html import make_environment

_ABBREVIATIONS = {word: word.upper() for word in ("auc", "auprc", "ece", "f1", "ppv", "npv")} | {
    "cohen": "Cohen's",
    "matthews": "Matthews",
    "mib": "(MiB)",
}
# As the option `training.normalisation` has them.
_NORMALISERS = {
    "reinhard": "the mean and deviation of Reinhard et al. 2001",
    "macenko": "the two dyes of Macenko et al. 2009",
}


@cache
def page_environment() -> jinja2.Environment:
    """Create the Jinja environment of the pages, with the filters that their templates use."""
    environment = make_environment("reporting/templates")
    environment.filters |= {
        "figure": format_figure,
        "words": put_into_words,
        "term": explain,
        "plain": plain_name,
        "combine": _combine,
        "without": _leave_out,
        "select": _select,
        "rename": _rename,
        "markdown": _escape_markdown,
        "normaliser": name_normaliser,
        "stated": lambda value: value or NOT_STATED,
    }
    environment.globals["terms"] = sort_terms(TERMS)
    environment.tests["defined_number"] = is_number
    return environment


def format_figure(value: Any) -> str:
    """Format a number for display; undefined values become ``undefined``."""
    if value is None or pd.isna(value):
        return "undefined"
    if isinstance(value, float) and (abs(value) >= 1000 or (abs(value) > 1 and value.is_integer())):
        return f"{value:,.0f}"
    if isinstance(value, float):
        return f"{value:.3f}" if 0.001 <= abs(value) < 100 or not value else f"{value:.3g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def put_into_words(name: str) -> str:
    """Format the name of a metric or column for display."""
    return " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))


def name_normaliser(training: Mapping[str, Any]) -> str | None:
    """Name the method by which a network gives images the colours of its training images; ``None`` where it does not.

    Args:
        training: The summary of the training.
    """
    return _NORMALISERS.get(training.get("normalisation", "none"))


def is_number(value: Any) -> bool:
    """Check whether a value is a number and not NaN."""
    return isinstance(value, int | float) and not pd.isna(value)


def _escape_markdown(text: str) -> str:
    """Escape a user-given name so that Markdown shows it literally."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", text)


def _select(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Select fields of a data sheet, with a placeholder for fields that are not stated."""
    return {name: table.get(name) or NOT_STATED for name in names}


def _rename(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in table.items()}


def _leave_out(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


def _combine(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {**first, **second}
