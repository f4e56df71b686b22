"""Compare all models that have results with each other and with stain colour alone."""

import logging
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_training
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions

logger = logging.getLogger(__name__)


def judge_colour(
    smears: PackedImages, splits: pd.DataFrame, audit: AuditOptions, evaluation: EvaluationOptions, seed: int
) -> dict[str, Any]:
    """Predict the test images from stain colour alone, learned from the networks' training images.

    Args:
        smears: The packed images.
        splits: The training and test images, and their groups.
        audit: The number of trees in the forest.
        evaluation: The confidence of the interval.
        seed: Random seed for the trees.

    Returns:
        ``accuracy, low, high``, the ``errors`` (ids of misclassified test images), the numbers of test ``images`` and
        their ``groups``, and the fingerprint of the ``splits``.
    """
    from leukoscope.audit import baseline
    from leukoscope.evaluation import intervals

    test = splits[splits["split"] == "test"]
    hits = baseline.predict_by_colour(smears, splits, audit.trees, seed) == test["label"].to_numpy()
    share = intervals.estimate_share(hits, test["group"], evaluation.confidence)
    logger.info("Stain colour alone, on the same test images: accuracy %.3f", share.value)
    facts = {"splits": fingerprint_table(splits), "images": len(test), "groups": int(test["group"].nunique())}
    ends = {name: None if pd.isna(value) else value for name, value in zip(("low", "high"), share[1:], strict=True)}
    return facts | {"accuracy": share.value} | ends | {"errors": test["image_id"][~hits].tolist()}


def compare_models(splits: pd.DataFrame, results: list[dict[str, Any]]) -> pd.DataFrame:
    """Tabulate all results.

    Args:
        splits: The current splits.
        results: One per evaluated model.

    Returns:
        One row per model with results, on whichever ``splits``.

    Raises:
        InputError: No model has results on the current splits.
    """
    table = pd.DataFrame([_select_figures(result["summary"]) for result in results])
    if table.empty:
        raise InputError(f"No model has results yet. Train one first: `{name_training()}`.")
    others = table.loc[table["splits"] != fingerprint_table(splits), "title"]
    names = ", ".join(others)
    if len(others) == len(table):
        raise InputError(
            f"All results are of other splits than the present ones: {names}. Train or evaluate one again, or restore "
            f"the splits (seed and splitting parameters)."
        )
    if names:
        logger.warning("Other test images, so that figure and page leave them out (column splits): %s", names)
    return table


def _select_figures(summary: dict[str, Any]) -> dict[str, Any]:
    """Remove the published study's metrics unless the images are known not to be drawn."""
    from leukoscope.reporting import sources

    return summary if summary.get("drawn_images") == 0 else sources.without_published(summary)


def compare_errors(
    splits: pd.DataFrame,
    colour_baseline: dict[str, Any],
    options: EvaluationOptions,
    seed: int,
    results: list[dict[str, Any]],
    manifest: pd.DataFrame | None = None,
    study_differences: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Test which differences in accuracy on the same test images are significant, also against stain colour.

    Args:
        splits: The test images and their groups.
        colour_baseline: The errors of stain colour alone.
        options: The confidence of the intervals.
        seed: Random seed for the swaps from which the ends of the intervals are found.
        results: One per evaluated model; results on other splits are skipped.
        manifest: All images.
        study_differences: The differences that the last study found, if there was one.

    Returns:
        One row per pair, in the format of ``compare_pairs``: pairs of models, then each model with stain colour.
        Holm's correction is applied to each of the two kinds separately. ``real`` marks differences that a study of
        the same images, recipes and splitting has shown too; ``changed`` names what has changed since that study.
    """
    from leukoscope.audit.baseline import COLOUR_BASELINE
    from leukoscope.evaluation import confirmation, significance

    test = splits[splits["split"] == "test"]
    present = fingerprint_table(splits)
    results_here = [result for result in results if result["training"]["splits"] == present]
    hits = {result["model"]: ~test["image_id"].isin(result["errors"]).to_numpy() for result in results_here}
    how = (test["group"], options.confidence, seed)
    by_colour = ~test["image_id"].isin(colour_baseline["errors"]).to_numpy()
    pairs = [
        significance.compare_pairs(hits, *how),
        significance.compare_pairs(hits | {COLOUR_BASELINE: by_colour}, *how, reference=COLOUR_BASELINE),
    ]
    table = pd.concat([table for table in pairs if len(table)] or pairs[:1], ignore_index=True)
    setting = _describe_setting(results_here, manifest, options.confidence)
    marked = confirmation.confirm(table, study_differences, setting)
    if words := confirmation.explain_changes(marked["changed"]):
        logger.warning("%s", words)
    return marked


def _describe_setting(results: list[dict[str, Any]], manifest: pd.DataFrame | None, confidence: float) -> Any:
    """Describe the setting of the comparison; all models were evaluated on the same splits."""
    from leukoscope.evaluation.confirmation import Setting
    from leukoscope.images.manifest import fingerprint_manifest

    recipes = {result["model"]: result["summary"].get("recipe") for result in results}
    divided = {result["summary"].get("splitting") for result in results}
    data = None if manifest is None else fingerprint_manifest(manifest)
    return Setting(data, divided.pop() if len(divided) == 1 else None, confidence, recipes)


def draw_comparison(comparison: pd.DataFrame, differences: pd.DataFrame, colour_baseline: dict[str, Any]) -> Figure:
    """Plot the metrics of every model next to the published ones, and what they are worth.

    Args:
        comparison: One row per model; rows for other splits are skipped.
        differences: One row per pair, for the text below the plot.
        colour_baseline: The result of stain colour alone on the same test images.
    """
    from leukoscope.figures import comparison as figures

    current = comparison[comparison["splits"] == colour_baseline["splits"]]
    for row in current.itertuples():
        logger.info("%s", _say_what_it_is_worth(row, colour_baseline))
    words = _say_what_is_shown(current, differences)
    return figures.draw_comparison(current, colour_baseline, words, _entitle(current, colour_baseline))


def _entitle(comparison: pd.DataFrame, blind: dict[str, Any]) -> str:
    images = "/".join(str(int(number)) for number in sorted(comparison["test_images"].unique()))
    title = f"Models compared on {images} test images of {count_of(blind['groups'], 'group')}"
    is_drawn = "drawn_images" in comparison and (comparison["drawn_images"] > 0).any()
    return f"Drawn data, no real smears: {title}" if is_drawn else title


def _say_what_it_is_worth(row: Any, blind: dict[str, Any]) -> str:
    ours = _say_accuracy(row.test_accuracy, row.test_accuracy_low, row.test_accuracy_high)
    theirs = _say_accuracy(blind["accuracy"], blind["low"], blind["high"])
    return (
        f"{row.title}: test accuracy {ours}; stain colour alone reaches {theirs} on the same test images, which are of "
        f"{count_of(blind['groups'], 'group')}"
    )


def _say_accuracy(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if pd.notna(low) else "")


def _say_what_is_shown(comparison: pd.DataFrame, differences: pd.DataFrame) -> str:
    if differences.empty:
        return ""
    from leukoscope.audit.baseline import COLOUR_BASELINE

    titles = comparison.set_index("model")["title"].to_dict() | {COLOUR_BASELINE: "stain colour alone"}
    better = differences[differences["difference"] > 0]
    worse = differences[differences["difference"] <= 0].rename(columns={"first": "second", "second": "first"})
    pairs = pd.concat([better, worse]).query("shown")
    words = []
    for pair in pairs.itertuples():
        better_title, worse_title = (titles.get(name, name) for name in (pair.first, pair.second))
        real = ", real over the seeds of a study" if getattr(pair, "real", False) else ""
        words.append(f"{better_title} over {worse_title} (+{abs(pair.difference):.3f}{real})")
    tests = "permutation of groups, Holm's correction, one training each: another seed may differ"
    if not words:
        return (
            f"No difference in test accuracy is shown for these trained networks, nor to stain colour alone ({tests})."
        )
    return f"Shown for these trained networks ({tests}): {', '.join(words)}. No other difference is."
