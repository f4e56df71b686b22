from types import SimpleNamespace

import numpy as np
import pytest

from leukoscope.images.perturbations import PERTURBATIONS
from leukoscope.models import inference
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.robustness import nodes
from leukoscope.pipelines.robustness.options import RobustnessOptions
from leukoscope.pipelines.training.options import BackboneOptions


@pytest.fixture
def measured(splits, smears, class_names, monkeypatch):
    """A classifier that goes by brightness alone, on squares whose brightness is their class."""

    def predict(classifier, pixels, rows, batch_size):
        brightness = pixels[rows].mean(axis=(1, 2, 3))
        nearest = np.abs(brightness[:, None] - (20 + 50 * np.arange(4))).argmin(axis=1)
        return 0.04 + 0.84 * np.eye(4)[nearest]

    monkeypatch.setattr(inference, "predict_probabilities", predict)

    def measure(images: int = 200):
        classifier, calibration = SimpleNamespace(class_names=tuple(class_names)), {"temperature": 1.0}
        options = RobustnessOptions(images=images)
        return nodes.measure_robustness(classifier, calibration, smears, splits, options, EvaluationOptions(), 1)

    return measure


def test_what_goes_by_brightness_fails_when_it_changes_and_not_when_colour_goes(measured):
    table = measured().set_index(["perturbation", "level"])
    assert table.loc[("none", 0.0), "accuracy"] == 1
    assert table.loc[("grey", 1.0), "accuracy"] == 1
    assert table.loc[("brightness", 0.3), "accuracy"] < 0.8
    assert table.loc[("none", 0.0), "calibrated_ece"] == pytest.approx(1 - 0.88)
    assert len(table) == 1 + sum(len(one.levels) for one in PERTURBATIONS.values())


def test_so_many_images_are_drawn_evenly(measured):
    assert set(measured(images=12)["images"]) == {12}
    assert set(measured(images=999)["images"]) == {24}


def test_the_number_is_the_mean_over_changes(measured):
    table = measured()
    summary = nodes.summarise_robustness(table)
    means = table.query("perturbation != 'none'").groupby("perturbation")["accuracy"].mean()
    assert summary["test_robust_accuracy"] == pytest.approx(means.mean())
    assert summary["test_accuracy_brightness"] == table.query("perturbation == 'brightness'")["accuracy"].iloc[-1]
    assert summary.keys() == {"test_robust_accuracy", *(f"test_accuracy_{name}" for name in PERTURBATIONS)}


def test_the_figure_has_a_bar_a_strength(measured):
    axes = nodes.draw_robustness(measured(), BackboneOptions(backbone="vgg16")).axes[0]
    assert len(axes.patches) == sum(len(one.levels) for one in PERTURBATIONS.values())
    assert "VGG16 on 24 changed test images" in axes.get_title()
