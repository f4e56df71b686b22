"""Self-contained HTML pages, rendered by Jinja."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from leukoscope.options import plain_name

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("leukoscope", "figures/templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
_CLASS_FIGURES = ("precision", "npv", "sensitivity", "specificity", "f1", "auc", "auprc", "support")


def render_backbone(
    title: str,
    metrics: Mapping[str, float | None],
    summary: Mapping[str, Any],
    figures: Mapping[str, bytes],
    class_names: Sequence[str],
) -> str:
    """Render what is known of one backbone; the page holds its pictures and opens offline.

    Args:
        title: The backbone's name.
        metrics: The figures of every split, ``<split>_<metric>``.
        summary: How it was trained, and the report's own figures.
        figures: PNG pictures by their headings.
        class_names: The classes in order.
    """
    classes = {
        name: [metrics.get(f"test_{figure}_{plain_name(name)}") for figure in _CLASS_FIGURES] for name in class_names
    }
    pictures = {heading: base64.b64encode(picture).decode() for heading, picture in figures.items()}
    return _ENVIRONMENT.get_template("backbone.html").render(
        title=title,
        metrics=metrics,
        summary=summary,
        pictures=pictures,
        classes=classes,
        class_figures=_CLASS_FIGURES,
    )
