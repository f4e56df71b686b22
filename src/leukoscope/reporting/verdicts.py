"""The sentence at the top of a page: what its main result is worth, claiming no more than was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.counts import write_count
from leukoscope.reporting.filters import format_figure, is_number

_ROUNDING = 1e-6  # files round numbers


def find_colour_pair(
    model: str, accuracy: float | None, differences: pd.DataFrame | None, baseline: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Find the paired test of a model against stain colour alone on the same test images.

    Args:
        model: Name of the model.
        accuracy: Accuracy of the model on the test images.
        differences: One row per pair, as in the comparison.
        baseline: Results of stain colour alone on the same images.

    Returns:
        The row; ``None`` if there is none, or if it belongs to another training of the model.
    """
    if differences is None or differences.empty or baseline is None or not is_number(accuracy):
        return None
    own = differences[(differences["first"] == model) & (differences["second"] == COLOUR_BASELINE)]
    if own.empty:
        return None
    pair = own.iloc[0].to_dict()
    measured = accuracy - baseline["accuracy"]
    return pair if abs(pair["difference"] - measured) < _ROUNDING else None


def judge_pair(pair: Mapping[str, Any] | None) -> str:
    """Describe whether a model was shown to be better than stain colour alone."""
    if pair is None:
        return "whether that is better than stain colour alone was not tested"
    if not pair["shown"]:
        return "not shown to be better than stain colour alone"
    return f"shown to be {'better' if pair['difference'] > 0 else 'worse'} than stain colour alone"


def judge_model(
    result: Mapping[str, Any], pair: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None, verdict: str | None
) -> str:
    """Describe what a model's accuracy is worth.

    Args:
        result: The evaluation's result.
        pair: The model's test against stain colour alone, if there is one.
        baseline: Results of stain colour alone on the same test images.
        verdict: The audit's verdict, one sentence per line.
    """
    metrics = result["metrics"]
    split = result["split"]
    accuracy = say_estimate(metrics, f"{split}_accuracy", _level(result))
    if split == "test":
        worth = _add_colour(judge_pair(pair), baseline)
    else:
        worth = "stain colour alone was not evaluated on these images"
    images = write_count(metrics[f"{split}_images"], f"{split} image")
    return f"Accuracy {accuracy} on {images}: {worth}{_alarm(verdict)}."


def judge_comparison(
    models: Sequence[Mapping[str, Any]],
    pairs: Mapping[str, Mapping[str, Any] | None],
    baseline: Mapping[str, Any] | None,
    confidence: float,
    verdict: str | None,
) -> str:
    """Describe what the best of several models is worth, and how many are better than stain colour alone.

    Args:
        models: One row per model.
        pairs: For each model its test against stain colour alone.
        baseline: Results of stain colour alone on the same test images.
        confidence: Confidence level of the intervals.
        verdict: The audit's verdict, one sentence per line.
    """
    best = max(models, key=lambda row: row["test_accuracy"])
    accuracy = say_estimate(best, "test_accuracy", f"{100 * confidence:g} % ")
    better = sum(is_better(pairs.get(row["model"])) for row in models)
    worth = _add_colour(judge_pair(pairs.get(best["model"])), baseline)
    images = write_count(best["test_images"], "test image")
    lead = "The only model" if len(models) == 1 else f"The best of {len(models)} models"
    is_tested = len(models) > 1 and any(pairs.values())
    count = (
        f"; {better} of {len(models)} models {'is' if better == 1 else 'are'} shown to be better" if is_tested else ""
    )
    return f"{lead}, {best['title']}, has accuracy {accuracy} on {images}: {worth}{count}{_alarm(verdict)}."


def judge_literature(
    models: Sequence[Mapping[str, Any]], systems: int, trained: int, baseline: Mapping[str, Any] | None
) -> str:
    """Describe how many published systems were trained here, and what the best model is worth.

    Args:
        models: The models trained here, from ``describe_models``.
        systems: Number of published systems.
        trained: Number of published systems trained here.
        baseline: Results of stain colour alone.
    """
    lead = f"{trained} of {systems} published systems {'is' if trained == 1 else 'are'} trained here"
    if not models:
        return f"{lead}."
    best = max(models, key=lambda row: row["test_accuracy"])
    worth = _add_colour(judge_pair(best["to_colour"] or None), baseline)
    return (
        f"{lead}; the best model, {best['title']}, has accuracy {say_estimate(best, 'test_accuracy')}, {worth}; "
        f"published figures on other images cannot be compared with it."
    )


def judge_study(models: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]], confidence: float) -> str:
    """Describe what the best model of a study is worth over its folds and seeds.

    Args:
        models: One row per model.
        pairs: One row per pair of models.
        confidence: Confidence level of the intervals.
    """
    whole = [row for row in models if is_number(row["accuracy"])]
    if not whole:
        return "Nothing can be said yet: no model has finished all folds of a seed."
    best = max(whole, key=lambda row: row["accuracy"])
    real = sum(bool(pair["real"]) for pair in pairs)
    lead = "The only model" if len(whole) == 1 else f"The best of {len(whole)} models"
    accuracy = say_estimate(best, "accuracy", f"{100 * confidence:g} % ")
    seeds = write_count(best["seeds"], "seed")
    differ = f"; {real} of {len(pairs)} differences between models {'is' if real == 1 else 'are'} real" if pairs else ""
    return f"{lead}, {best['title']}, has accuracy {accuracy} over {seeds}, {_judge_gain(best)}{differ}."


def judge_search(title: str, value: float | None, finished: int) -> str:
    """Describe what the best trial of a search is worth.

    Args:
        title: Title of the objective.
        value: Value of the best trial; ``None`` if there is no single best one.
        finished: Number of finished trials.
    """
    worth = "no test image was used, so whether it is better than stain colour alone is unknown"
    if not finished:
        return "Nothing can be said yet: no trial has finished."
    if value is None:
        return f"{finished} trials finished, and which is best depends on the objective: {worth}."
    return (
        f"The best of {write_count(finished, 'trial')}: {title} {format_figure(value)}, which is optimistic; {worth}."
    )


def judge_readers(models: Sequence[Mapping[str, Any]], phases: Mapping[str, str], confidence: float) -> str:
    """Describe the agreement of readers, and whether the opinion was shown to help, for the model with most fields.

    Args:
        models: The results of the agreement pipeline.
        phases: Descriptions of the phases, the most informative about readers first.
        confidence: Confidence level of the intervals; a difference is shown if its interval excludes 0.
    """
    model = max(models, key=lambda candidate: candidate["all"]["images"])
    study = model["study"]
    read = {phase: facts for phase, facts in study["phases"].items() if is_number(facts["krippendorff_alpha"])}
    phase = next((phase for phase in phases if phase in read), None)
    if phase is None:
        return (
            "Nothing can be said yet about how far readers agree: that takes two named readers and fields that both "
            "have read."
        )
    facts = read[phase]
    alpha = say_estimate(facts, "krippendorff_alpha", f"{100 * confidence:g} % ")
    readers = write_count(facts["readers"], "reader")
    fields = write_count(facts["fields"], "field")
    lead = f"Krippendorff's alpha of {readers} on {fields} is {alpha}, {phases[phase]}"
    return f"{lead}; {_judge_aid(study['aided'])}."


def _judge_aid(designs: Sequence[Mapping[str, Any]]) -> str:
    """Describe whether readers like these name the right class more often with the opinion, in the first design."""
    rows = [row["all_readers"] for design in designs for row in design["figures"] if row["figure"] == "class_accuracy"]
    if not rows or not is_number(rows[0]["difference_low"]):
        return "whether the opinion helps them was not tested"
    difference = f"(difference in accuracy {say_estimate(rows[0], 'difference')})"
    if rows[0]["difference_low"] <= 0 <= rows[0]["difference_high"]:
        return f"the opinion is not shown to help them {difference}"
    return f"the opinion is shown to {'help' if rows[0]['difference_low'] > 0 else 'mislead'} them {difference}"


def is_better(pair: Mapping[str, Any] | None) -> bool:
    """Check whether a model was shown to be better than what it was tested against."""
    return pair is not None and bool(pair["shown"]) and pair["difference"] > 0


def say_estimate(row: Mapping[str, Any], name: str, level: str = "") -> str:
    """Format a number with its interval, if it has one, with the digits of the tables.

    Args:
        row: A row of numbers.
        name: Name of the number; the ends of its interval are ``<name>_low`` and ``<name>_high``.
        level: Text before the word interval.
    """
    low = row.get(f"{name}_low")
    high = row.get(f"{name}_high")
    ends = f" ({level}interval {format_figure(low)} to {format_figure(high)})" if is_number(low) else ""
    return format_figure(row.get(name)) + ends


def _level(result: Mapping[str, Any]) -> str:
    return f"{100 * result['confidence']:g} % "


def _add_colour(words: str, baseline: Mapping[str, Any] | None) -> str:
    if baseline is None:
        return words
    return f"{words} ({format_figure(baseline['accuracy'])} on the same images)"


def _judge_gain(row: Mapping[str, Any]) -> str:
    """Describe whether the gain differs from zero, by its interval, in which images and seeds are random."""
    if not is_number(row.get("gain_over_colour")):
        return "not compared with stain colour alone"
    low = row.get("gain_over_colour_low")
    high = row.get("gain_over_colour_high")
    gain = f"(difference {say_estimate(row, 'gain_over_colour')})"
    if not is_number(low) or low <= 0 <= high:  # type: ignore[operator]
        return f"not shown to be better than stain colour alone {gain}"
    return f"shown to be {'better' if low > 0 else 'worse'} than stain colour alone {gain}"  # type: ignore[operator]


def _alarm(verdict: str | None) -> str:
    if verdict is None or not verdict.startswith(("ALARM", "WARNING")):
        return ""
    kind = "a warning" if verdict.startswith("WARNING") else "an alarm"
    return f"; the audit raises {kind}: predictors that see no cell do well on these images"
