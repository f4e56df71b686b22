"""The table of metrics, as shown on pages, on cards and in the documentation.

``python -m leukoscope.reporting.metric_tables docs/figures.md`` rewrites the tables of the documentation.
"""

import re
import sys
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import get_args

from leukoscope.evaluation.metric import Metric, Section
from leukoscope.evaluation.metrics import METRICS

_CALIBRATED = "calibrated_"
_MARKED = re.compile(r"(<!-- metrics: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| name | on pages | what it is | range | best | interval | undefined where | promotes |"


def list_rows(classes: int) -> dict[str, dict[str, Metric]]:
    """List the rows that pages show, by section and name; rows with a value per class without their ``_*``.

    Args:
        classes: Number of classes; with two, redundant metrics are left out.
    """
    rows: dict[str, dict[str, Metric]] = {section: {} for section in get_args(Section)}
    for name, metric in METRICS.items():
        if classes > 2 or not metric.redundant_of_two:
            rows[metric.section][name.removesuffix("_*")] = metric
    return rows


def list_calibrated() -> dict[str, Metric]:
    """List the metrics of probabilities as given; the calibrated counterpart is named ``calibrated_<name>``."""
    return {
        name: metric
        for name, metric in METRICS.items()
        if f"{_CALIBRATED}{name}" in METRICS
        or (metric.section == "calibration" and name.removeprefix(_CALIBRATED) not in METRICS)
    }


def list_primary() -> dict[str, Metric]:
    """List the metrics that pages show first, by name."""
    return {name: metric for name, metric in METRICS.items() if metric.is_primary}


def write_table(sections: Sequence[str]) -> str:
    """Format the rows of some sections as a Markdown table, for the documentation."""
    rows = [_write_row(name, metric) for name, metric in METRICS.items() if metric.section in sections]
    return "\n".join([_HEAD, "|---" * _HEAD.count(" | ") + "|---|", *rows]) + "\n"


def write_tables(text: str) -> str:
    """Rewrite the tables of a document, each between ``<!-- metrics: SECTIONS -->`` and ``<!-- end -->``."""
    return _MARKED.sub(lambda mark: mark[1] + write_table(mark[2].split(", ")) + mark[3], text)


def _write_row(name: str, metric: Metric) -> str:
    low, high = (_write_number(end) for end in metric.bounds)
    meaning = f"{metric.meaning} ({metric.source})" if metric.source else metric.meaning
    cells = (
        f"`{name}`",
        metric.title,
        meaning,
        f"{low} or more" if high == "inf" else f"{low} to {high}",
        "" if metric.ideal is None else _write_number(metric.ideal),
        metric.measure.interval or "none",
        ", or ".join(lack.value for lack in metric.undefined),
        "yes" if metric.can_promote else "",
    )
    return f"| {' | '.join(cells)} |"


def _write_number(number: float) -> str:
    return "inf" if number == inf else f"{number:g}"


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(write_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
