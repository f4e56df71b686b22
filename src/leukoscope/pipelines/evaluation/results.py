"""Collect the findings of an evaluation for the comparison, the reports and the count of looks at test images."""

from typing import Any

import pandas as pd

from leukoscope.core.storage import as_records
from leukoscope.evaluation.compatibility import RESULT_FORMAT
from leukoscope.evaluation.confirmation import fingerprint_splitting
from leukoscope.evaluation.metrics import list_compared
from leukoscope.evaluation.scoring import ENDS
from leukoscope.figures import Figure
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.images.origin import Origin
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.entry import ModelOptions

_ROBUST = [f"test_robust_accuracy{end}" for end in ("", "_low", "_high")]
# Only for models whose opinions are certified by asking again.
_CERTIFIED = ("test_certified", "test_accuracy_certified", "test_accuracy_not_certified", "certificate_version")
_COSTS = ["parameters", "model_mib", "seconds_per_epoch", "epochs", "input_size", "device", "precision", "splits"]


def record_evaluation(
    metrics: dict[str, float | None],
    features: pd.DataFrame,
    splits: pd.DataFrame,
    manifest: pd.DataFrame,
    options: ModelOptions,
    evaluation: EvaluationOptions,
    splitting: SplittingOptions,
) -> dict[str, Any]:
    """Record that a model was evaluated on these test images, and with which split.

    Args:
        metrics: The metrics on the test images.
        features: The features, for the model's fingerprint.
        splits: Which images are in the test split.
        manifest: All images.
        options: Names the model.
        evaluation: The confidence of prediction sets.
        splitting: The kind of group that was held together.
    """
    from leukoscope.evaluation import evaluations
    from leukoscope.images.grouping import UNITS

    return evaluations.describe(
        splits,
        metrics,
        model=options.name,
        model_fingerprint=str(features["model"].iloc[0]),
        data=fingerprint_manifest(manifest),
        group_by=splitting.group_by,
        unit=UNITS[splitting.group_by],
        set_confidence=evaluation.set_confidence,
    )


def summarise_evaluation(
    metrics: dict[str, float | None],
    robustness_summary: dict[str, float | None],
    training_summary: dict[str, Any],
    options: ModelOptions,
    manifest: pd.DataFrame,
    known: DataSheetOptions,
    splitting: SplittingOptions,
) -> dict[str, Any]:
    """Build a model's row of the comparison: its metrics, its costs and the published metrics.

    Args:
        metrics: The metrics of every split.
        robustness_summary: The metrics on changed test images.
        training_summary: How the model was trained.
        options: The model's entry; its published metrics apply to the published images only.
        manifest: Every file found.
        known: Whether the user states that these are the published images.
        splitting: How the images were divided.
    """
    origin = Origin.trace(manifest)
    scores = [f"test_{name}{end}" for name in list_compared() for end in ("", *ENDS)]
    return {
        "model": options.name,
        "title": options.title,
        **{name: metrics[name] for name in ("train_accuracy", *scores, "test_images", "test_groups")},
        **{name: robustness_summary.get(name) for name in _ROBUST},
        **{name: figure for name, figure in robustness_summary.items() if name.startswith(_CERTIFIED)},
        **{name: training_summary[name] for name in _COSTS},
        **{"splitting": fingerprint_splitting(splitting.facts), "recipe": training_summary.get("recipe_fingerprint")},
        **{"accepted_images": origin.images, "drawn_images": origin.drawn},
        **(options.published.as_report() if known.is_published(origin) else {}),
    }


def describe_evaluation(
    predictions: pd.DataFrame,
    opinions: pd.DataFrame,
    smears: PackedImages,
    class_names: list[str],
    options: EvaluationOptions,
    splits: pd.DataFrame,
    known: list[dict[str, Any]],
    model: ModelOptions,
) -> dict[str, Any]:
    """Compute what plots and pages show of the test set: counts, curves and pictures of errors.

    Args:
        predictions: One row per image.
        opinions: Opinions on the same images.
        smears: The packed images.
        class_names: The classes in order.
        options: How many errors to show, and the assumptions of the screening view.
        splits: Which images are in the test split.
        known: All evaluations so far, including this one.
        model: Names the model.
    """
    from leukoscope.evaluation import evaluations
    from leukoscope.reporting import results

    test = evaluations.fingerprint_test(splits)
    looks = {
        "looks": evaluations.count_looks(known, test),
        "strictest": evaluations.find_strictest(known, model.name, test),
    }
    display = results.describe(predictions, opinions, "test", smears, class_names, options.worst_errors)
    return display | looks | options.as_display()


def gather_result(
    summary: dict[str, Any],
    display: dict[str, Any],
    metrics: dict[str, float | None],
    calibration: dict[str, Any],
    training_summary: dict[str, Any],
    history: pd.DataFrame,
    robustness: pd.DataFrame,
    outliers: pd.DataFrame,
    *vote: dict[str, Any],
) -> dict[str, Any]:
    """Collect everything that the comparison and the reports need for one model.

    Args:
        summary: The model's row of the comparison.
        display: What a report shows.
        metrics: The metrics of every split.
        calibration: The calibration learned from the validation images.
        training_summary: How the model was trained.
        history: One row per epoch; empty for kinds of models without epochs.
        robustness: One row per change and strength.
        outliers: One row per kind of synthetic outlier.
        vote: For an ensemble: its comparison with its best member.
    """
    published = {name: value for name, value in summary.items() if name.startswith("report_")}
    return {
        "format": RESULT_FORMAT,
        **{name: summary[name] for name in ("model", "title")},
        **display,
        "summary": summary,
        "metrics": metrics,
        "calibration": calibration,
        "training": training_summary | published,
        "history": as_records(history),
        "robustness": as_records(robustness),
        "outliers": as_records(outliers),
        "vote": vote[0] if vote else None,
    }


def draw_result(result: dict[str, Any]) -> dict[str, Figure]:
    """Draw the plots of a model's page as standalone pictures.

    Args:
        result: The model's collected result.

    Returns:
        Figures by file name.
    """
    from leukoscope.reporting import pictures

    return pictures.draw_result(result, result["title"])
