"""Predict every split with one model's classifier, form opinions, and score them."""

from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier
from leukoscope.pipelines.evaluation.options import EvaluationOptions


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
        splits: The images of every split and their true classes.
        class_names: The classes in the order of the parameters.
        options: The batch size.

    Returns:
        A table of ``image_id, split, label, predicted`` and one probability column per class; and a table of
        ``image_id, split, label, sha256, drawn, model`` (the classifier's fingerprint), simple checks of the fields,
        and the classifier's last-layer features, one column each.

    Raises:
        InputError: The classifier was trained for other classes, or on other splits, so that its training images
            may be in the test set.
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
    probabilities, features = predictor.predict(smears.pixels, rows)
    table = splits[["image_id", "split", "label"]].reset_index(drop=True)
    predictions = table.join(tabulate_probabilities(probabilities, class_names))
    # Packed images of an earlier version do not record which are drawn; the column is then empty.
    records = smears.records.set_index("image_id").reindex(columns=["sha256", "drawn"])
    files = records.loc[table["image_id"]].reset_index(drop=True)
    facts = table.join(files).assign(model=classifier.fingerprint)
    return predictions, feature_table.tabulate(facts, features, check_fields(smears.pixels, rows))


def calibrate_predictions(
    predictions: pd.DataFrame,
    features: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    options: EvaluationOptions,
) -> dict[str, Any]:
    """Learn calibration and abstention from the validation images.

    Args:
        predictions: One row per image.
        features: Features of the same images, with the checks and the model's fingerprint.
        splits: The groups of the images, for bounding the error of opinions by group.
        class_names: The classes in order.
        options: The targets that opinions must meet.

    Returns:
        The result of ``Calibration.describe``.
    """
    from leukoscope.evaluation import out_of_distribution, trust
    from leukoscope.evaluation.predictions import select_split

    unlike = out_of_distribution.KnownImages.learn(features).compare_table(features, "validation")
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
    """Form the classifier's final opinion on each image, or the reason why it abstained.

    Args:
        predictions: One row per image.
        features: Features of the same images, with the checks.
        calibration: The calibration learned from the validation images.
        class_names: The classes in order.

    Returns:
        ``image_id, split, label, opinion, reason, prediction_set, ood_score`` and one calibrated probability column
        per class.
    """
    from leukoscope.evaluation import out_of_distribution, trust
    from leukoscope.evaluation.predictions import probability_columns

    unlike = out_of_distribution.KnownImages.learn(features).compare_table(features)
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
    """Score the predictions of each split, with intervals for the test metrics.

    Args:
        predictions: One row per image.
        opinions: Opinions on the same images.
        calibration: The calibration learned from the validation images.
        splits: The groups of the images, which the intervals resample.
        class_names: The classes in order.
        options: Names the benign classes.
        seed: Random seed for the intervals.

    Returns:
        Every metric by its plain name, ``<split>_<metric>``; for the test set also those that ``Judge`` adds.
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
        if split != "test"  # scored below by `judge`, which adds more metrics
        for name, figure in judge.score(predictions, opinions, split).items()
    }
    groups = splits.set_index("image_id")["group"].loc[predictions.query("split == 'test'")["image_id"]]
    judged = judge.judge(predictions, opinions, "test", groups)
    return figures | {f"test_{name}": figure for name, figure in judged.items()}
