from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from leukoscope.evaluation import feature_table
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.field_checks import check_fields
from leukoscope.images.perturbations import OUTLIERS, PERTURBATIONS, Perturbation
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.evaluation.results import _CERTIFIED
from leukoscope.pipelines.robustness import nodes
from leukoscope.pipelines.robustness.options import RobustnessOptions


class Predictor:
    """Goes by brightness alone, on squares whose brightness is their class; its features are the brightness too."""

    def __init__(self, classifier, batch_size: int) -> None:
        pass

    def predict(self, pixels, rows=None):
        brightness = pixels.mean(axis=(1, 2, 3)) if rows is None else pixels[rows].mean(axis=(1, 2, 3))
        nearest = np.abs(brightness[:, None] - (20 + 50 * np.arange(4))).argmin(axis=1)
        angle = np.pi / 2 * brightness / 255
        return 0.04 + 0.84 * np.eye(4)[nearest], np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.fixture
def arguments(splits, smears, class_names, monkeypatch):
    monkeypatch.setattr("leukoscope.reader.calibrated.Predictor", Predictor)
    _, seen = Predictor(None, 1).predict(smears.pixels)
    facts = splits[["image_id", "split", "label"]].assign(model="a model")
    features = feature_table.tabulate(facts, seen, check_fields(smears.pixels))

    def give(images: int = 200, temperature: float = 1.0, splits=splits) -> list:
        classifier = SimpleNamespace(class_names=tuple(class_names))
        calibration = Calibration(temperature, 0.5, 1.5, [[0.1]] * 4, model="a model").describe()
        options = RobustnessOptions(images=images)
        return [classifier, calibration, features, smears, splits, options, EvaluationOptions(), 1]

    return give


@pytest.fixture
def measured(arguments):
    return lambda images=200, **options: nodes.measure_robustness(*arguments(images, **options))[0]


def test_what_goes_by_brightness_fails_when_it_changes_and_not_when_colour_goes(measured):
    table = measured().set_index(["perturbation", "level"])
    assert table.loc[("none", 0.0), "accuracy"] == 1
    assert table.loc[("grey", 1.0), "accuracy"] == 1
    assert table.loc[("brightness", 0.3), "accuracy"] < 0.8
    assert table.loc[("none", 0.0), "unlike"] == table.loc[("grey", 1.0), "unlike"] == 0
    assert table.loc[("brightness", 0.3), "unlike"] > 0.1
    assert table.loc[("none", 0.0), "calibrated_ece"] == pytest.approx(1 - 0.88)
    assert len(table) == 1 + sum(len(one.levels) for one in PERTURBATIONS.values())


def test_calibration_errors_are_of_calibrated_probabilities(measured):
    soft = measured(temperature=2.0).set_index(["perturbation", "level"])
    sure = np.sqrt(0.88) / (np.sqrt(0.88) + 3 * np.sqrt(0.04))
    assert soft.loc[("none", 0.0), "calibrated_ece"] == pytest.approx(1 - sure)


@pytest.mark.slow
def test_accuracies_have_intervals_by_groups(measured, arguments, splits):
    table = measured()
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()
    low, _ = proportion_confint(24, 24, 0.05, method="jeffreys")
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([low, 1.0])
    pairs = splits.assign(group=np.arange(len(splits)) // 2)
    assert measured(splits=pairs).loc[0, "low"] < low
    _, robust = nodes.measure_robustness(*arguments())
    assert robust["test_robust_accuracy_low"] < robust["test_robust_accuracy"] < robust["test_robust_accuracy_high"]


def test_so_many_images_are_drawn(measured):
    assert set(measured(images=12)["images"]) == {12}
    assert set(measured(images=999)["images"]) == {24}


def test_of_each_class_one_image_is_drawn_at_least(splits):
    rare = splits.drop(splits.query("split == 'test' and label == 'Pro'").index[1:])
    drawn = nodes._choose(rare, 6, seed=1)["label"].value_counts()
    assert drawn.to_dict() == {"Benign": 2, "Early": 2, "Pre": 2, "Pro": 1}


def test_the_number_is_the_mean_over_changes(arguments):
    table, robust = nodes.measure_robustness(*arguments())
    summary = nodes.summarise_robustness(table, robust, pd.DataFrame({"kind": ["blurred"], "unlike": [0.75]}))
    means = table.query("perturbation != 'none'").groupby("perturbation")["accuracy"].mean()
    assert summary["test_robust_accuracy"] == pytest.approx(means.mean())
    assert summary["test_accuracy_brightness"] == table.query("perturbation == 'brightness'")["accuracy"].iloc[-1]
    assert summary["outliers_unlike_blurred"] == 0.75
    assert len(summary) == 4 + len(PERTURBATIONS)


def test_what_certificates_are_worth_is_measured_if_opinions_have_any(arguments, monkeypatch):
    darker = {"light": [lambda field: np.minimum(field, 120)]}  # turns squares of the brightest class
    monkeypatch.setattr("leukoscope.reader.calibrated.CIRCUMSTANCES", darker)
    given = arguments()
    _, without = nodes.measure_robustness(*given)
    given[6] = EvaluationOptions(certificate=True)
    table, figures = nodes.measure_robustness(*given)
    shares = ("test_certified", "test_certified_light", "test_accuracy_certified", "test_accuracy_not_certified")
    added = {f"{name}{end}" for name in shares for end in ("", "_low", "_high")} | {"certificate_version"}
    assert set(figures) - set(without) == added
    assert all(name.startswith(_CERTIFIED) for name in added)
    assert figures["test_certified"] == 0.75
    assert figures["test_accuracy_certified"] == figures["test_accuracy_not_certified"] == 1
    summary = nodes.summarise_robustness(table, figures, pd.DataFrame({"kind": ["blurred"], "unlike": [0.75]}))
    assert {name: summary[name] for name in added} == {name: figures[name] for name in added}


def test_outliers_are_held_against_the_test_images(arguments):
    table = nodes.measure_outliers(*arguments(images=12)).set_index("kind")
    assert list(table.index) == list(OUTLIERS)
    assert set(table["images"]) == {12}
    # A blurred square is as bright as before, so that its features tell nothing: that it is not sharp does.
    assert (table["unlike"] == 1).all()
    assert (table["auc"] == 1).all()
    low, _ = proportion_confint(12, 12, 0.05, method="jeffreys")
    assert table["unlike_low"].to_numpy() == pytest.approx(low)
    assert table["auc_low"].isna().all()  # no two draws differ


def test_outliers_that_are_not_recognised_are_warned_of(arguments, monkeypatch, caplog):
    changes = {"no_cells": Perturbation(lambda image, level, rng: image, (1,), ""), "blurred": OUTLIERS["blurred"]}
    monkeypatch.setattr("leukoscope.images.perturbations.OUTLIERS", changes)
    table = nodes.measure_outliers(*arguments()).set_index("kind")
    assert table.loc["no_cells", "auc"] == pytest.approx(0.5)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [
        "Fields without cells are not recognised as unlike the training images (AUC 0.50, below 0.8): opinions may be "
        "given on them."
    ]
