"""Descriptions of MLflow runs in Markdown, and a session's primary metrics."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.reporting.terminal import judge_gain, keep_present, say_figure, say_share, warn_of_drawn

EXPERIMENT = (
    "Detection of acute lymphoblastic leukemia in blood smears, by Leukoscope: [all models, the best first]({view}). A "
    "run is the training and evaluation of one model; if one command trained several, they are below its own run, "
    "whose description compares them. Figures have the same names in every run: select runs and press *Compare*. "
    "Judge each accuracy against that of stain colour alone, which the descriptions give."
)


def pick_figures(comparison: pd.DataFrame, colour_baseline: Mapping[str, Any] | None) -> dict[str, float]:
    """Select the metrics of a session: its best model's accuracy, and that of stain colour alone.

    Args:
        comparison: One row per model.
        colour_baseline: Results of stain colour alone on the present test images; ``None`` if it was not evaluated.
    """
    best = keep_present(comparison, colour_baseline)["test_accuracy"].max()
    if colour_baseline is None:
        return {"best_test_accuracy": best}
    colour = colour_baseline["accuracy"]
    return {"best_test_accuracy": best, "colour_accuracy": colour, "best_gain_over_colour": best - colour}


def describe_session(
    comparison: pd.DataFrame,
    colour_baseline: Mapping[str, Any] | None,
    differences: pd.DataFrame | None,
    link: Callable[[str], str | None],
) -> str:
    """Describe the run of a session that compared models.

    Args:
        comparison: One row per model.
        colour_baseline: Results of stain colour alone on the present test images; ``None`` if it was not evaluated.
        differences: One row per pair, as in the comparison.
        link: Returns the address of a model's run; ``None`` if this session has none.
    """
    present = keep_present(comparison, colour_baseline)
    lines = ["| model | test accuracy | macro F1 | AUC | than stain colour |", "|---|---|---|---|---|"]
    for row in present.to_dict("records"):
        address = link(row["model"])
        name = f"[{row['title']}]({address})" if address else row["title"]
        figures = f"{_say_accuracy(row)} | {_say(row.get('test_macro_f1'))} | {_say(row.get('test_auc'))}"
        lines.append(f"| {name} | {figures} | {judge_gain(row['model'], differences)} |")
    if colour_baseline is not None:
        accuracy = _say_share(*(colour_baseline[name] for name in ("accuracy", "low", "high")))
        lines.append(f"| stain colour alone | {accuracy} | | | |")
    return "\n".join([*lines, "", *_warn(present), "The page is `comparison.html` among the artifacts."])


def describe_model(summary: Mapping[str, Any]) -> str:
    """Describe the run of an evaluated model.

    Args:
        summary: The model's row in the comparison.
    """
    figures = f"test accuracy {_say_accuracy(summary)}, macro F1 {_say(summary.get('test_macro_f1'))}"
    images = count_of(int(summary["test_images"]), "test image")
    words = f"**{summary['title']}**: {figures}, AUC {_say(summary.get('test_auc'))}, on {images}."
    return "\n\n".join([words, *_warn(pd.DataFrame([summary]))])


def _warn(comparison: pd.DataFrame) -> list[str]:
    return [f"**{words}**\n" for words in warn_of_drawn(comparison)]


def _say_accuracy(row: Mapping[str, Any]) -> str:
    return _say_share(*(row.get(f"test_accuracy{end}") for end in ("", "_low", "_high")))


_say = partial(say_figure, how=".3f")
_say_share = partial(say_share, how=".3f")
