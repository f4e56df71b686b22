"""Measure what one backbone's classifier makes of fields that arrive changed."""

from typing import Any

import numpy as np
import pandas as pd

from leukoscope.figures import Figure
from leukoscope.images.packing import PackedImages
from leukoscope.models.backbones import BACKBONES
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.robustness.options import RobustnessOptions
from leukoscope.pipelines.training.options import BackboneOptions


def measure_robustness(
    classifier: Any,
    calibration: dict[str, float],
    smears: PackedImages,
    splits: pd.DataFrame,
    options: RobustnessOptions,
    evaluation: EvaluationOptions,
    seed: int,
) -> pd.DataFrame:
    """Predict test images under each change at each strength.

    Args:
        classifier: A trained classifier.
        calibration: The temperature that it was given.
        smears: The packed images.
        splits: Which images test.
        options: How many of them, drawn evenly over the classes.
        evaluation: The batch size.
        seed: For the drawing, and what is random in a change.

    Returns:
        ``perturbation, level, unit, images, accuracy, calibrated_ece``, the unchanged images first.
    """
    from leukoscope.images.perturbations import PERTURBATIONS, perturb
    from leukoscope.models import inference, trust

    test = splits[splits["split"] == "test"]
    share = min(1.0, options.images / len(test))
    chosen = test.groupby("label").sample(frac=share, random_state=seed)
    images = smears.pixels[smears.rows(chosen["image_id"])]
    truth = pd.Index(classifier.class_names).get_indexer(chosen["label"])

    def score(name: str, level: float, unit: str, changed: np.ndarray) -> dict[str, Any]:
        rows = np.arange(len(changed))
        probabilities = inference.predict_probabilities(classifier, changed, rows, evaluation.batch_size)
        calibrated = trust.apply_temperature(probabilities, calibration["temperature"])
        facts = {"perturbation": name, "level": level, "unit": unit, "images": len(changed)}
        return facts | {
            "accuracy": float((probabilities.argmax(axis=1) == truth).mean()),
            "calibrated_ece": trust.measure_calibration_error(truth, calibrated),
        }

    changes = [
        score(name, level, one.unit, perturb(images, name, level, seed))
        for name, one in PERTURBATIONS.items()
        for level in one.levels
    ]
    return pd.DataFrame([score("none", 0.0, "", images), *changes])


def summarise_robustness(robustness: pd.DataFrame) -> dict[str, float]:
    """Give the one number, and the accuracy under the strongest of each change.

    Args:
        robustness: One row a change and strength.

    Returns:
        ``test_robust_accuracy``, the mean over the changes of the mean over their strengths, and
        ``test_accuracy_<change>`` at its strongest.
    """
    changed = robustness[robustness["perturbation"] != "none"]
    by_change = changed.groupby("perturbation", sort=False)["accuracy"]
    strongest = {f"test_accuracy_{name}": float(value) for name, value in by_change.last().items()}
    return {"test_robust_accuracy": float(by_change.mean().mean())} | strongest


def draw_robustness(robustness: pd.DataFrame, options: BackboneOptions) -> Figure:
    """Draw the accuracy under each change at each strength.

    Args:
        robustness: One row a change and strength.
        options: Names the backbone.
    """
    from leukoscope.figures import robustness as figures

    return figures.draw_robustness(robustness, BACKBONES[options.backbone].title)
