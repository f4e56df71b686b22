from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leukoscope.errors import InputError
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.models.scoring import tabulate_probabilities
from leukoscope.pipelines.evaluation import nodes
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.training.options import BackboneOptions

OPTIONS = BackboneOptions(backbone="resnet50", published={"test_accuracy": 0.9924})
OPTIONS_OF_EVALUATION = EvaluationOptions(resamples=40)
PNG_HEADER = b"\x89PNG"


@pytest.fixture
def predictions(splits, class_names, rng) -> pd.DataFrame:
    """Three of four are right."""
    probabilities = rng.dirichlet(np.ones(4), len(splits))
    right = splits["label"].map({name: n for n, name in enumerate(class_names)}).to_numpy()
    probabilities[np.arange(0, len(splits), 4), right[::4]] = 0
    others = np.arange(len(splits)) % 4 != 0
    probabilities[others, right[others]] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return splits[["image_id", "split", "label"]].join(tabulate_probabilities(probabilities, class_names))


def score(predictions, splits, class_names) -> dict:
    calibration = nodes.calibrate_predictions(predictions, class_names, OPTIONS_OF_EVALUATION)
    return nodes.score_predictions(predictions, calibration, splits, class_names, OPTIONS_OF_EVALUATION, seed=1)


def test_metrics_are_named_by_split_and_figure(predictions, splits, class_names):
    metrics = score(predictions, splits, class_names)
    test = predictions[predictions["split"] == "test"]
    assert metrics["test_accuracy"] == pytest.approx((test["label"] == test["predicted"]).mean())
    assert metrics["train_images"] == 112
    assert {"validation_loss", "train_macro_f1", "test_auc", "test_sensitivity_early"} <= metrics.keys()


def test_headline_figures_of_the_test_set_have_intervals(predictions, splits, class_names):
    metrics = score(predictions, splits, class_names)
    for name in ("accuracy", "balanced_accuracy", "matthews_correlation", "auc", "macro_f1"):
        assert metrics[f"test_{name}_low"] <= metrics[f"test_{name}"] <= metrics[f"test_{name}_high"]
    assert metrics["test_accuracy_high"] - metrics["test_accuracy_low"] > 0.1
    one_group = splits.assign(group="all")
    alike = score(predictions, one_group, class_names)
    assert alike["test_accuracy_low"] is alike["test_accuracy_high"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained_on": "another"}, "saw other splits.*Train it again"),
        ({"class_names": ("Benign", "Early")}, "knows the classes Benign, Early, and the parameters say"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(splits, smears, class_names, changes, message):
    fitting = {"trained_on": fingerprint_table(splits), "class_names": tuple(class_names)}
    with pytest.raises(InputError, match=message):
        nodes.predict_splits(SimpleNamespace(**(fitting | changes)), smears, splits, class_names, EvaluationOptions())


def test_the_worst_errors_are_the_most_confident_ones_of_the_test_set(predictions, smears, class_names):
    figure = nodes.draw_worst_errors(predictions, smears, class_names, EvaluationOptions(worst_errors=3), OPTIONS)
    test = predictions.query("split == 'test' and label != predicted")
    confidence = test.filter(like="probability").max(axis=1)
    worst = test.loc[confidence.nlargest(3).index, "image_id"].tolist()
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title.split("\n")[0] for title in titles] == worst


def test_no_errors_are_no_fault(predictions, smears, class_names):
    perfect = predictions.assign(predicted=predictions["label"])
    figure = nodes.draw_worst_errors(perfect, smears, class_names, EvaluationOptions(), OPTIONS)
    assert "0 wrong" in figure.get_suptitle()


def test_trust_is_scored_and_drawn_on_the_test_set(predictions, splits, class_names):
    metrics = score(predictions, splits, class_names)
    assert 0 <= metrics["test_coverage"] <= 1
    assert metrics["test_calibrated_loss"] != metrics["test_loss"]
    assert {
        "test_ece",
        "test_calibrated_brier",
        "test_aurc",
        "test_set_size",
        "test_set_coverage_pre",
    } <= metrics.keys()
    calibration = nodes.calibrate_predictions(predictions, class_names, OPTIONS_OF_EVALUATION)
    figure = nodes.draw_calibration(predictions, calibration, class_names, OPTIONS)
    assert f"temperature {calibration['temperature']:.2f}" in figure.axes[0].get_title()
    assert "24 test images" in figure.get_suptitle()


def test_the_confusion_matrix_counts_the_test_set(predictions, class_names):
    figure = nodes.draw_confusion_matrix(predictions, class_names, OPTIONS)
    counts = [int(text.get_text()) for text in figure.axes[0].texts]
    assert sum(counts) == 24
    assert "24 test images" in figure.get_suptitle()


def test_the_roc_figure_has_a_curve_a_class(predictions, class_names):
    legend = nodes.draw_roc_curves(predictions, class_names, OPTIONS).axes[0].get_legend()
    assert [text.get_text().split(" ")[0] for text in legend.get_texts()] == class_names


def test_the_report_is_one_page_with_pictures_and_the_published_figures(predictions, splits, class_names):
    metrics = score(predictions, splits, class_names)
    pictures = [PNG_HEADER] * 6
    page = nodes.write_report(metrics, {"epochs": 3}, class_names, OPTIONS, *pictures)
    assert page.count("data:image/png;base64,") == 6
    assert "report test accuracy" in page
    assert "0.9924" in page
    assert "Not a medical device" in page
    assert "http" not in page


def test_the_result_marks_the_published_figures_as_the_reports(predictions, splits, class_names):
    metrics = score(predictions, splits, class_names)
    costs = ("parameters", "model_mib", "seconds_per_epoch", "epochs", "input_size", "device", "precision", "splits")
    result = nodes.summarise_result(
        metrics, {"test_robust_accuracy": 0.4}, predictions, dict.fromkeys(costs, 1), OPTIONS
    )
    assert result["test_accuracy"] == metrics["test_accuracy"]
    assert result["report_test_accuracy"] == 0.9924
    assert result["report_train_accuracy"] is None
    assert len(result["test_errors"]) == round((1 - metrics["test_accuracy"]) * 24) > 0
    assert result["test_robust_accuracy"] == 0.4
