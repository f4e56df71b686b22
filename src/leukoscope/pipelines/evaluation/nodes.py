"""Predict every split with one backbone's classifier, and score it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.errors import InputError
from leukoscope.figures import Figure
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.images.packing import PackedImages
from leukoscope.models.backbones import BACKBONES
from leukoscope.options import plain_name
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.training.options import BackboneOptions

REPORT_FIGURES = {
    "learning_curves": "Learning curves",
    "confusion_matrix": "Confusion on the test set",
    "roc_curves": "ROC curves on the test set",
    "calibration_figure": "Calibration and withheld opinions on the test set",
    "robustness_figure": "Accuracy on changed test images",
    "worst_errors": "Most confident errors on the test set",
}


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
        ``image_id, split, label, predicted`` and one probability column a class; and ``image_id, split, sha256`` with
        the features that the classifier's last layer sees, one column each.

    Raises:
        InputError: The classifier was trained for other classes, or on other splits: then images that it has
            seen may be in the test set.
    """
    from leukoscope.models import inference, scoring

    if classifier.trained_on != fingerprint_table(splits):
        raise InputError(
            "The trained model saw other splits than the present ones, so that test images may be among those "
            "that it learned from. Train it again, or restore the splits (seed and splitting parameters)."
        )
    if list(classifier.class_names) != class_names:
        raise InputError(
            f"The trained model knows the classes {', '.join(classifier.class_names)}, and the parameters say "
            f"{', '.join(class_names)}. Set class_names as the model has them, or train again."
        )
    probabilities, features = inference.predict_with_features(
        classifier, smears.pixels, smears.rows(splits["image_id"]), options.batch_size
    )
    table = splits[["image_id", "split", "label"]].reset_index(drop=True)
    predictions = table.join(scoring.tabulate_probabilities(probabilities, class_names))
    hashes = table["image_id"].map(smears.records.set_index("image_id")["sha256"])
    facts = table[["image_id", "split"]].assign(sha256=hashes)
    return predictions, facts.join(pd.DataFrame(features).add_prefix("feature_"))


def calibrate_predictions(
    predictions: pd.DataFrame, class_names: list[str], options: EvaluationOptions
) -> dict[str, float]:
    """Learn from the validation images how sure the classifier may be, and when it should keep its opinion to itself.

    Args:
        predictions: One row an image.
        class_names: The classes in order.
        options: The error that opinions are to keep to.

    Returns:
        ``temperature`` and ``threshold``, as ``Calibration`` has them.
    """
    from leukoscope.models import trust

    return trust.calibrate(*_select(predictions, "validation", class_names), options.target_error)._asdict()


def score_predictions(
    predictions: pd.DataFrame,
    calibration: dict[str, float],
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
    seed: int,
) -> dict[str, float | None]:
    """Score the predictions of each split, with intervals of the test set's headline figures.

    Args:
        predictions: One row an image.
        calibration: What was learned from the validation images.
        splits: The groups of images, of which the intervals draw.
        class_names: The classes in order.
        options: Names the benign class.
        seed: For the intervals.

    Returns:
        Every figure by its plain name, ``<split>_<metric>``; of the test set also the ends of intervals,
        ``test_<metric>_low`` and ``test_<metric>_high``, calibration, withheld opinions and prediction sets.
    """
    from leukoscope.models import intervals, scoring, trust

    how = scoring.Scoring(class_names, options.benign_class, options.prevalence)
    columns = scoring.probability_columns(class_names)
    figures = {
        f"{split}_{name}": figure
        for split, rows in predictions.groupby("split", sort=False)
        for name, figure in how.score(rows["label"].to_numpy(), rows[columns].to_numpy()).items()
    }
    test = _select_test(predictions)
    groups = test["image_id"].map(splits.set_index("image_id")["group"])
    estimates = intervals.estimate_figures(
        partial(how.score_headline, test["label"].to_numpy(), test[columns].to_numpy()),
        groups,
        options.resamples,
        options.confidence,
        seed,
    )
    bounds = {
        f"{name}_{end}": value
        for name, one in estimates.items()
        for end, value in (("low", one.low), ("high", one.high))
    }
    truth, probabilities = _select(predictions, "test", class_names)
    bounds |= trust.score_trust(truth, probabilities, trust.Calibration(**calibration))
    held = _select(predictions, "validation", class_names)
    covered, size = trust.score_prediction_sets(truth, probabilities, held, options.set_confidence)
    names = [f"set_coverage_{plain_name(name)}" for name in class_names]
    bounds |= dict(zip(names, covered, strict=True)) | {"set_size": size}
    return figures | {f"test_{name}": None if np.isnan(value) else float(value) for name, value in bounds.items()}


def summarise_result(
    metrics: dict[str, float | None],
    robustness_summary: dict[str, float],
    predictions: pd.DataFrame,
    training_summary: dict[str, Any],
    options: BackboneOptions,
) -> dict[str, Any]:
    """Gather a backbone's row of the comparison: our figures, its costs and the report's own figures.

    Args:
        metrics: The figures of every split.
        robustness_summary: The figures of changed test images.
        predictions: Which test images were wrong.
        training_summary: How it was trained.
        options: Names the backbone and has what was published about it.
    """
    test = _select_test(predictions)
    headline = [f"test_{name}{end}" for name in ("accuracy", "macro_f1", "auc") for end in ("", "_low", "_high")]
    scores = ["train_accuracy", *headline, "test_images"]
    costs = (
        "parameters",
        "model_mib",
        "seconds_per_epoch",
        "epochs",
        "input_size",
        "device",
        "precision",
        "splits",
    )
    return {
        "backbone": options.backbone,
        "title": BACKBONES[options.backbone].title,
        **{name: metrics[name] for name in scores},
        "test_robust_accuracy": robustness_summary["test_robust_accuracy"],
        **{name: training_summary[name] for name in costs},
        **options.published.as_report(),
        "test_errors": test.loc[test["label"] != test["predicted"], "image_id"].tolist(),
    }


def draw_confusion_matrix(predictions: pd.DataFrame, class_names: list[str], options: BackboneOptions) -> Figure:
    """Draw the confusion matrix of the test set, as counts and as rates.

    Args:
        predictions: One row an image.
        class_names: The classes in order.
        options: Names the backbone.
    """
    from leukoscope.figures import confusion

    test = _select_test(predictions)
    return confusion.draw_confusion(test["label"], test["predicted"], class_names, _title(options, len(test)))


def draw_roc_curves(predictions: pd.DataFrame, class_names: list[str], options: BackboneOptions) -> Figure:
    """Draw the ROC curve of each class against all others on the test set.

    Args:
        predictions: One row an image.
        class_names: The classes in order.
        options: Names the backbone.
    """
    from leukoscope.figures import curves
    from leukoscope.models import scoring

    test = _select_test(predictions)
    probabilities = test[scoring.probability_columns(class_names)].set_axis(class_names, axis=1)
    return curves.draw_roc_curves(test["label"].to_numpy(), probabilities, _title(options, len(test)))


def draw_calibration(
    predictions: pd.DataFrame, calibration: dict[str, float], class_names: list[str], options: BackboneOptions
) -> Figure:
    """Draw how often the classifier is right when it is so sure, and what withholding opinions gains.

    Args:
        predictions: One row an image.
        calibration: What was learned from the validation images.
        class_names: The classes in order.
        options: Names the backbone.
    """
    from leukoscope.figures import trust
    from leukoscope.models.trust import Calibration

    truth, probabilities = _select(predictions, "test", class_names)
    return trust.draw_calibration(truth, probabilities, Calibration(**calibration), _title(options, len(truth)))


def draw_worst_errors(
    predictions: pd.DataFrame,
    smears: PackedImages,
    class_names: list[str],
    evaluation: EvaluationOptions,
    options: BackboneOptions,
) -> Figure:
    """Show the test images that were wrong with the most confidence.

    Args:
        predictions: One row an image.
        smears: The packed images.
        class_names: The classes in order.
        evaluation: How many to show.
        options: Names the backbone.
    """
    from leukoscope.figures import montages
    from leukoscope.models import scoring

    test = _select_test(predictions)
    test = test.assign(confidence=test[scoring.probability_columns(class_names)].max(axis=1))
    errors = test[test["label"] != test["predicted"]]
    worst = errors.nlargest(evaluation.worst_errors, "confidence")
    captions = [
        f"{row.image_id}\n{row.label} taken for {row.predicted} ({row.confidence:.2f})" for row in worst.itertuples()
    ]
    title = f"{_title(options, len(test))}: {len(errors)} wrong"
    return montages.draw_captioned(list(smears.pixels[smears.rows(worst["image_id"])]), captions, title)


def write_report(
    metrics: dict[str, float | None],
    training_summary: dict[str, Any],
    class_names: list[str],
    options: BackboneOptions,
    *figures: bytes,
) -> str:
    """Bring together what is known of one backbone, as one self-contained HTML page.

    Args:
        metrics: The figures of every split.
        training_summary: How it was trained.
        class_names: The classes in order.
        options: Names the backbone and has what was published about it.
        figures: PNGs in the order of ``REPORT_FIGURES``.
    """
    from leukoscope.figures import pages

    return pages.render_backbone(
        BACKBONES[options.backbone].title,
        metrics,
        training_summary | options.published.as_report(),
        dict(zip(REPORT_FIGURES.values(), figures, strict=True)),
        class_names,
    )


def _select_test(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[predictions["split"] == "test"]


def _select(predictions: pd.DataFrame, split: str, class_names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Select the numbers of the true classes of a split, and their probabilities."""
    from leukoscope.models import scoring

    rows = predictions[predictions["split"] == split]
    numbers = pd.Index(class_names).get_indexer(rows["label"])
    return numbers, rows[scoring.probability_columns(class_names)].to_numpy()


def _title(options: BackboneOptions, images: int) -> str:
    return f"{BACKBONES[options.backbone].title}, {images} test images"
