"""Measure how one model's classifier handles changed fields and outliers."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.storage import as_records
from leukoscope.evaluation.out_of_distribution import describe_missed
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.robustness.options import RobustnessOptions

logger = logging.getLogger(__name__)


def measure_robustness(
    classifier: Classifier,
    calibration: dict[str, Any],
    features: pd.DataFrame,
    smears: PackedImages,
    splits: pd.DataFrame,
    options: RobustnessOptions,
    evaluation: EvaluationOptions,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """Predict test images under each change at each strength.

    Args:
        classifier: A trained classifier.
        calibration: The calibration learned from the validation images.
        features: The features of the training images, with their checks.
        smears: The packed images.
        splits: Which images are in the test split, and their groups.
        options: The number of test images, sampled from each class in proportion.
        evaluation: The batch size, the confidence of the intervals, and whether opinions are certified by asking again.
        seed: Random seed for the sampling and the changes.

    Returns:
        ``perturbation, level, unit, images, accuracy, low, high`` (its interval), ``calibrated_ece, unlike`` (share
        flagged as unlike the training images), the unchanged images first; and ``test_robust_accuracy``, the mean over
        the changes of the mean over their strengths, with its interval, and the metrics of certificates, if opinions
        are to have any.
    """
    from leukoscope.evaluation import robustness
    from leukoscope.images.perturbations import PERTURBATIONS, perturb
    from leukoscope.reader.calibrated import CalibratedClassifier

    chosen = _choose(splits, options.images, seed)
    images = smears.pixels[smears.rows(chosen["image_id"])]
    truth = pd.Index(classifier.class_names).get_indexer(chosen["label"])
    model = CalibratedClassifier.restore(classifier, calibration, features, evaluation.batch_size)
    scorer = robustness.ChangeScorer(truth, chosen["group"], evaluation.confidence)

    def score(name: str, level: float, unit: str, changed: np.ndarray) -> None:
        predicted = model.predict(changed)
        scorer.add(name, level, unit, predicted.probabilities, model.calibrate(predicted), model.flag_unlike(predicted))

    score(robustness.UNCHANGED, 0.0, "", images)
    for name, change in PERTURBATIONS.items():
        for level in change.levels:
            score(name, level, change.unit, perturb(images, change, level, seed))
    figures = scorer.summarise()
    if evaluation.certificate:
        asked = model.predict(images)
        figures |= scorer.certify(asked.probabilities, model.certify(images, asked))
    return scorer.tabulate(), figures


def measure_outliers(
    classifier: Classifier,
    calibration: dict[str, Any],
    features: pd.DataFrame,
    smears: PackedImages,
    splits: pd.DataFrame,
    options: RobustnessOptions,
    evaluation: EvaluationOptions,
    seed: int,
) -> pd.DataFrame:
    """Measure how many synthetic outliers are flagged as unlike the training images.

    Args:
        classifier: A trained classifier.
        calibration: The calibration learned from the validation images.
        features: The features of the training images and of the unchanged test images, with their checks.
        smears: The packed images.
        splits: Which images are in the test split.
        options: The number of test images from which to make outliers.
        evaluation: The batch size.
        seed: Random seed for the sampling and the outliers.

    Returns:
        ``kind, images``, ``unlike`` (share flagged) and ``auc`` (of outliers against test images), the latter two with
        the ends of their intervals by group, ``_low`` and ``_high``.
    """
    from leukoscope.images.perturbations import OUTLIERS, perturb
    from leukoscope.reader.calibrated import CalibratedClassifier

    chosen = _choose(splits, options.images, seed)
    images = smears.pixels[smears.rows(chosen["image_id"])]
    usual = features[features["split"] == "test"]
    test_groups = splits.set_index("image_id")["group"].loc[usual["image_id"]].to_numpy()
    model = CalibratedClassifier.restore(classifier, calibration, features, evaluation.batch_size)
    test_score = model.known.compare_table(features, "test").score
    limit = model.calibration.ood_limit

    def measure(kind: str, made: np.ndarray) -> dict[str, Any]:
        score = model.predict(made).ood.score
        groups = chosen["group"].to_numpy()
        figures = _judge_outliers(score, groups, test_score, test_groups, limit, evaluation, seed)
        return {"kind": kind, "images": len(made)} | figures

    table = pd.DataFrame(
        [measure(kind, perturb(images, change, change.levels[0], seed)) for kind, change in OUTLIERS.items()]
    )
    for missed in describe_missed(as_records(table), limit):
        logger.warning(missed)
    return table


def _judge_outliers(
    score: np.ndarray,
    groups: np.ndarray,
    test_score: np.ndarray,
    test_groups: np.ndarray,
    limit: float,
    evaluation: EvaluationOptions,
    seed: int,
) -> dict[str, float]:
    """Return the share of outliers that are flagged, and the AUC of outliers against test images, with intervals."""
    from leukoscope.evaluation import intervals, outcome

    curve = outcome.Curve(np.repeat([False, True], [len(test_score), len(score)]), np.append(test_score, score))
    estimates = intervals.estimate_figures(
        lambda weights: {"auc": curve.measure_areas(weights)[0]},
        np.append(test_groups, groups),
        evaluation.resamples,
        evaluation.confidence,
        seed,
    )
    unlike = intervals.estimate_share(score > limit, groups, evaluation.confidence)
    return unlike.tabulate("unlike") | estimates["auc"].tabulate("auc")


def summarise_robustness(
    robustness: pd.DataFrame, robust_accuracy: dict[str, float | None], outliers: pd.DataFrame
) -> dict[str, float | None]:
    """Summarise robust accuracy, the accuracy under each change at its strongest, and the share of flagged outliers.

    Args:
        robustness: One row per change and strength.
        robust_accuracy: The robust accuracy with its interval, and the metrics of certificates.
        outliers: One row per kind.

    Returns:
        ``test_robust_accuracy`` and its interval; the metrics of certificates, if measured;
        ``test_accuracy_<change>`` for each change at its strongest; ``outliers_unlike_<kind>``.
    """
    changed = robustness[robustness["perturbation"] != "none"]
    by_change = changed.groupby("perturbation", sort=False)["accuracy"]
    strongest = {f"test_accuracy_{name}": float(value) for name, value in by_change.last().items()}
    flagged = {f"outliers_unlike_{row.kind}": float(row.unlike) for row in outliers.itertuples()}
    return robust_accuracy | strongest | flagged


def _choose(splits: pd.DataFrame, images: int, seed: int) -> pd.DataFrame:
    """Sample about this many test images: from each class in proportion to its size, and at least one."""
    test = splits[splits["split"] == "test"]
    share = min(1.0, images / len(test))
    random = np.random.RandomState(seed)
    drawn = [rows.sample(max(1, round(share * len(rows))), random_state=random) for _, rows in test.groupby("label")]
    return pd.concat(drawn)
