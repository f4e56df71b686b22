"""Predict every split with one backbone's classifier, form its opinions, and score them."""

from typing import Any

import pandas as pd

from leukoscope.errors import InputError
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.images.packing import PackedImages
from leukoscope.models.backbones import BACKBONES
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.training.options import BackboneOptions
from leukoscope.storage import as_records

PICTURES = ("learning_curves", "confusion_matrix", "roc_curves", "calibration_figure", "robustness_figure")
_SCORES = [f"test_{name}{end}" for name in ("accuracy", "macro_f1", "auc") for end in ("", "_low", "_high")]
_COSTS = ["parameters", "model_mib", "seconds_per_epoch", "epochs", "input_size", "device", "precision", "splits"]


def predict_splits(
    classifier: Any,
    smears: PackedImages,
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict every image of every split.

    Args:
        classifier: A trained classifier.
        smears: The packed images.
        splits: Which images there are, and their true classes.
        class_names: The classes in the order of the parameters.
        options: The batch size.

    Returns:
        ``image_id, split, label, predicted`` and one probability column a class; and ``image_id, split, label, sha256,
        model`` (the classifier's fingerprint) with simple checks of the fields, and the features that the classifier's
        last layer sees, one column each.

    Raises:
        InputError: The classifier was trained for other classes, or on other splits: then images that it has
            seen may be in the test set.
    """
    from leukoscope.images.field_checks import check_fields
    from leukoscope.models import compatibility, feature_table, inference, scoring

    if classifier.trained_on != fingerprint_table(splits):
        raise InputError(
            "The trained model saw other splits than the present ones, so that test images may be among those "
            "that it learned from. Train it again, or restore the splits (seed and splitting parameters)."
        )
    compatibility.require_classes("The trained model", classifier.class_names, class_names)
    predictor = inference.Predictor(classifier, options.batch_size)
    rows = smears.rows(splits["image_id"])
    probabilities, seen = predictor.predict(smears.pixels, rows)
    table = splits[["image_id", "split", "label"]].reset_index(drop=True)
    predictions = table.join(scoring.tabulate_probabilities(probabilities, class_names))
    hashes = table["image_id"].map(smears.records.set_index("image_id")["sha256"])
    facts = table.assign(sha256=hashes, model=classifier.fingerprint)
    return predictions, feature_table.tabulate(facts, seen, check_fields(smears.pixels, rows))


def calibrate_predictions(
    predictions: pd.DataFrame, features: pd.DataFrame, class_names: list[str], options: EvaluationOptions
) -> dict[str, Any]:
    """Learn from the validation images how sure the classifier may be, and when it should keep its opinion to itself.

    Args:
        predictions: One row an image.
        features: Of the same images, with their checks.
        class_names: The classes in order.
        options: The error that opinions are to keep to.

    Returns:
        As ``Calibration`` has it.
    """
    from leukoscope.models import novelty, scoring, trust

    unlike = novelty.KnownImages.learn(features).compare_table(features, "validation")
    truth, probabilities = scoring.select_split(predictions, "validation", class_names)
    return trust.calibrate(truth, probabilities, unlike.score, options.target_error, options.false_alarms)._asdict()


def form_opinions(
    predictions: pd.DataFrame, features: pd.DataFrame, calibration: dict[str, Any], class_names: list[str]
) -> pd.DataFrame:
    """Give what the classifier says of each image in the end, or why it says nothing.

    Args:
        predictions: One row an image.
        features: Of the same images, with their checks.
        calibration: What was learned from the validation images.
        class_names: The classes in order.

    Returns:
        ``image_id, split, label, opinion, reason, novelty`` and one calibrated probability column a class.
    """
    from leukoscope.models import novelty, opinions, scoring, trust

    unlike = novelty.KnownImages.learn(features).compare_table(features)
    probabilities = predictions[scoring.probability_columns(class_names)].to_numpy()
    formed = opinions.form_opinions(probabilities, unlike, trust.Calibration(**calibration), class_names)
    return predictions[["image_id", "split", "label"]].join(formed)


def score_predictions(
    predictions: pd.DataFrame,
    opinions: pd.DataFrame,
    calibration: dict[str, Any],
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
    seed: int,
) -> dict[str, float | None]:
    """Score the predictions of each split, with intervals of the test set's headline figures.

    Args:
        predictions: One row an image.
        opinions: Of the same images.
        calibration: What was learned from the validation images.
        splits: The groups of images, of which the intervals draw.
        class_names: The classes in order.
        options: Names the benign class.
        seed: For the intervals.

    Returns:
        Every figure by its plain name, ``<split>_<metric>``; of the test set also what ``Judge`` finds.
    """
    from leukoscope.models import judging, scoring, trust

    how = scoring.Scoring(class_names, options.benign_class, options.prevalence)
    columns = scoring.probability_columns(class_names)
    figures = {
        f"{split}_{name}": figure
        for split, rows in predictions.groupby("split", sort=False)
        for name, figure in how.score(rows["label"].to_numpy(), rows[columns].to_numpy()).items()
    }
    judge = judging.Judge(
        how, trust.Calibration(**calibration), options.resamples, options.confidence, options.set_confidence, seed
    )
    groups = splits.set_index("image_id")["group"].loc[predictions.query("split == 'test'")["image_id"]]
    judged = judge.judge(predictions, opinions, "test", groups)
    return figures | {f"test_{name}": figure for name, figure in judged.items()}


def summarise_evaluation(
    metrics: dict[str, float | None],
    robustness_summary: dict[str, float],
    training_summary: dict[str, Any],
    options: BackboneOptions,
) -> dict[str, Any]:
    """Make a backbone's row of the comparison: our figures, its costs and the report's own figures.

    Args:
        metrics: The figures of every split.
        robustness_summary: The figures of changed test images.
        training_summary: How it was trained.
        options: Names the backbone and has what was published about it.
    """
    return {
        "backbone": options.backbone,
        "title": BACKBONES[options.backbone].title,
        **{name: metrics[name] for name in ("train_accuracy", *_SCORES, "test_images", "test_groups")},
        "test_robust_accuracy": robustness_summary["test_robust_accuracy"],
        **{name: training_summary[name] for name in _COSTS},
        **options.published.as_report(),
    }


def describe_evaluation(
    predictions: pd.DataFrame,
    opinions: pd.DataFrame,
    smears: PackedImages,
    class_names: list[str],
    options: EvaluationOptions,
    *pictures: bytes,
) -> dict[str, Any]:
    """Trace what a report shows of the test set: curves, pictures of errors, and pictures in place of plots.

    Args:
        predictions: One row an image.
        opinions: Of the same images.
        smears: The packed images.
        class_names: The classes in order.
        options: How many errors to show, and by what the screening view goes.
        pictures: PNGs in the order of ``PICTURES``, for readers whose browser runs no scripts.
    """
    from leukoscope.reporting import html, results

    display = results.describe(predictions, opinions, "test", smears, class_names, options.worst_errors)
    encoded = [html.to_data_uri(picture, "png") for picture in pictures]
    return display | options.as_display() | {"pictures": dict(zip(PICTURES, encoded, strict=True))}


def gather_result(
    summary: dict[str, Any],
    display: dict[str, Any],
    metrics: dict[str, float | None],
    calibration: dict[str, Any],
    training_summary: dict[str, Any],
    history: pd.DataFrame,
    robustness: pd.DataFrame,
    outliers: pd.DataFrame,
) -> dict[str, Any]:
    """Gather all that the comparison and the reports need to know of one backbone.

    Args:
        summary: Its row of the comparison.
        display: What a report shows.
        metrics: The figures of every split.
        calibration: What was learned from the validation images.
        training_summary: How it was trained.
        history: One row an epoch.
        robustness: One row a change and strength.
        outliers: One row a kind of made outlier.
    """
    published = {name: value for name, value in summary.items() if name.startswith("report_")}
    return {
        **{name: summary[name] for name in ("backbone", "title")},
        **display,
        "summary": summary,
        "metrics": metrics,
        "calibration": calibration,
        "training": training_summary | published,
        "history": as_records(history),
        "robustness": as_records(robustness),
        "outliers": as_records(outliers),
    }
