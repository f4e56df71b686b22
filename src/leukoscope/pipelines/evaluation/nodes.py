"""Predict every split with one backbone's classifier, form its opinions, and score them."""

from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.core.storage import as_records
from leukoscope.evaluation.compatibility import RESULT_FORMAT
from leukoscope.evaluation.metrics import list_compared
from leukoscope.evaluation.scoring import ENDS
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.images.origin import Origin
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.options import NetworkOptions

PICTURES = ("learning_curves", "confusion_matrix", "roc_curves", "calibration_figure", "robustness_figure")
_ROBUST = [f"test_robust_accuracy{end}" for end in ("", "_low", "_high")]
_COSTS = ["parameters", "model_mib", "seconds_per_epoch", "epochs", "input_size", "device", "precision", "splits"]


def predict_splits(
    classifier: Classifier,
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
        drawn, model`` (the classifier's fingerprint) with simple checks of the fields, and the features that the
        classifier's last layer sees, one column each.

    Raises:
        InputError: The classifier was trained for other classes, or on other splits: then images that it has
            seen may be in the test set.
    """
    from leukoscope.evaluation import compatibility, feature_table
    from leukoscope.evaluation.predictions import tabulate_probabilities
    from leukoscope.images.field_checks import check_fields
    from leukoscope.inference.predictor import Predictor

    if classifier.trained_on != fingerprint_table(splits):
        raise InputError(
            "The trained model saw other splits than the present ones, so that test images may be among those "
            "that it learned from. Train it again, or restore the splits (seed and splitting parameters)."
        )
    compatibility.require_classes("The trained model", classifier.class_names, class_names)
    predictor = Predictor(classifier, options.batch_size)
    rows = smears.rows(splits["image_id"])
    probabilities, seen = predictor.predict(smears.pixels, rows)
    table = splits[["image_id", "split", "label"]].reset_index(drop=True)
    predictions = table.join(tabulate_probabilities(probabilities, class_names))
    # A store of an earlier version does not say what is drawn, and neither does the table then.
    records = smears.records.set_index("image_id").reindex(columns=["sha256", "drawn"])
    files = records.loc[table["image_id"]].reset_index(drop=True)
    facts = table.join(files).assign(model=classifier.fingerprint)
    return predictions, feature_table.tabulate(facts, seen, check_fields(smears.pixels, rows))


def calibrate_predictions(
    predictions: pd.DataFrame,
    features: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
) -> dict[str, Any]:
    """Learn from the validation images how sure the classifier may be, and when it should give no opinion.

    Args:
        predictions: One row an image.
        features: Of the same images, with their checks, and by which model.
        splits: The groups of images, by which the error of opinions is bounded.
        class_names: The classes in order.
        options: What opinions are to keep to.

    Returns:
        As ``Calibration.describe`` has it.
    """
    from leukoscope.evaluation import novelty, trust
    from leukoscope.evaluation.predictions import select_split

    unlike = novelty.KnownImages.learn(features).compare_table(features, "validation")
    truth, probabilities = select_split(predictions, "validation", class_names)
    ids = predictions.loc[predictions["split"] == "validation", "image_id"]
    groups = splits.set_index("image_id")["group"].loc[ids].to_numpy()
    benign = [class_names.index(name) for name in options.benign_class]
    model = str(features["model"].iloc[0])
    learned = trust.calibrate(truth, probabilities, unlike.score, groups, benign, options.targets(), model)
    return learned.describe()


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
        ``image_id, split, label, opinion, reason, prediction_set, novelty`` and one calibrated probability column a
        class.
    """
    from leukoscope.evaluation import novelty, trust
    from leukoscope.evaluation.predictions import probability_columns

    unlike = novelty.KnownImages.learn(features).compare_table(features)
    probabilities = predictions[probability_columns(class_names)].to_numpy()
    learned = trust.Calibration.restore(calibration, str(features["model"].iloc[0]))
    opinions = trust.form_opinions(probabilities, unlike, learned, class_names)
    return predictions[["image_id", "split", "label"]].join(opinions)


def score_predictions(
    predictions: pd.DataFrame,
    opinions: pd.DataFrame,
    calibration: dict[str, Any],
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
    seed: int,
) -> dict[str, float | None]:
    """Score the predictions of each split, with intervals of the test set's figures.

    Args:
        predictions: One row an image.
        opinions: Of the same images.
        calibration: What was learned from the validation images.
        splits: The groups of images, of which the intervals draw.
        class_names: The classes in order.
        options: Names the benign classes.
        seed: For the intervals.

    Returns:
        Every figure by its plain name, ``<split>_<metric>``; of the test set also what ``Judge`` finds.
    """
    from leukoscope.evaluation import trust
    from leukoscope.evaluation.judge import Judge
    from leukoscope.evaluation.scoring import Scoring

    how = Scoring(class_names, options.benign_class, options.prevalence)
    learned = trust.Calibration.restore(calibration)
    judge = Judge(how, learned, options.resamples, options.confidence, seed)
    figures = {
        f"{split}_{name}": figure
        for split in dict.fromkeys(predictions["split"])
        if split != "test"  # which is judged: the same figures, and more
        for name, figure in judge.score(predictions, opinions, split).items()
    }
    groups = splits.set_index("image_id")["group"].loc[predictions.query("split == 'test'")["image_id"]]
    judged = judge.judge(predictions, opinions, "test", groups)
    return figures | {f"test_{name}": figure for name, figure in judged.items()}


def record_evaluation(
    metrics: dict[str, float | None],
    features: pd.DataFrame,
    splits: pd.DataFrame,
    manifest: pd.DataFrame,
    options: NetworkOptions,
    evaluation: EvaluationOptions,
    splitting: SplittingOptions,
) -> dict[str, Any]:
    """Record that a model was evaluated on these test images, and under which split.

    Args:
        metrics: The figures of the test images.
        features: By which model.
        splits: Which images test.
        manifest: All images.
        options: Names the backbone.
        evaluation: What was stated for prediction sets.
        splitting: What was held together.
    """
    from leukoscope.evaluation import evaluations
    from leukoscope.images.grouping import UNITS

    return evaluations.describe(
        splits,
        metrics,
        backbone=options.name,
        model=str(features["model"].iloc[0]),
        data=fingerprint_manifest(manifest),
        group_by=splitting.group_by,
        unit=UNITS[splitting.group_by],
        set_confidence=evaluation.set_confidence,
    )


def summarise_evaluation(
    metrics: dict[str, float | None],
    robustness_summary: dict[str, float | None],
    training_summary: dict[str, Any],
    options: NetworkOptions,
    manifest: pd.DataFrame,
    known: DataSheetOptions,
) -> dict[str, Any]:
    """Make a backbone's row of the comparison: our figures, its costs and the report's own figures.

    Args:
        metrics: The figures of every split.
        robustness_summary: The figures of changed test images.
        training_summary: How it was trained.
        options: Names the backbone and has what was published about it, which is of the published images only.
        manifest: Every file found.
        known: Whether the user says that these are the published images.
    """
    origin = Origin.trace(manifest)
    scores = [f"test_{name}{end}" for name in list_compared() for end in ("", *ENDS)]
    return {
        "backbone": options.name,
        "title": options.title,
        **{name: metrics[name] for name in ("train_accuracy", *scores, "test_images", "test_groups")},
        **{name: robustness_summary.get(name) for name in _ROBUST},
        **{name: training_summary[name] for name in _COSTS},
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
    backbone: NetworkOptions,
    *pictures: bytes,
) -> dict[str, Any]:
    """Trace what a report shows of the test set: curves, pictures of errors, and pictures in place of plots.

    Args:
        predictions: One row an image.
        opinions: Of the same images.
        smears: The packed images.
        class_names: The classes in order.
        options: How many errors to show, and by what the screening view goes.
        splits: Which images test.
        known: All evaluations so far, this one among them.
        backbone: Names the backbone.
        pictures: PNGs in the order of ``PICTURES``, for readers whose browser runs no scripts.
    """
    from leukoscope.evaluation import evaluations
    from leukoscope.reporting import html, results

    test = evaluations.fingerprint_test(splits)
    looks = {
        "looks": evaluations.count_looks(known, test),
        "strictest": evaluations.find_strictest(known, backbone.name, test),
    }
    display = results.describe(predictions, opinions, "test", smears, class_names, options.worst_errors)
    encoded = [html.to_data_uri(picture, "png") for picture in pictures]
    return display | looks | options.as_display() | {"pictures": dict(zip(PICTURES, encoded, strict=True))}


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
        "format": RESULT_FORMAT,
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
