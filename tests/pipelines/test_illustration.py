import pytest

from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.trust import Calibration
from leukoscope.pipelines.illustration import nodes
from leukoscope.reporting import results
from made_entries import make_entry

OPTIONS = make_entry("resnet50")


@pytest.fixture
def display(predictions, class_names) -> dict:
    columns = probability_columns(class_names)
    calibrated = apply_temperature(predictions[columns].to_numpy(), 2.0)
    opinions = predictions.assign(**dict(zip(columns, calibrated.T, strict=True)))
    traced = results.trace_curves(predictions, opinions, "test", class_names)
    return traced | {"class_names": class_names, "benign_class": "Benign"}


def test_the_confusion_matrix_counts_the_test_set(display):
    figure = nodes.draw_confusion_matrix(display, OPTIONS)
    counts = [int(text.get_text().split()[0]) for text in figure.axes[0].texts]
    assert sum(counts) == 24
    assert figure.get_suptitle() == "ResNet50, 24 test images"


def test_the_roc_figure_has_a_curve_a_class(display, class_names):
    legend = nodes.draw_roc_curves(display, OPTIONS).axes[0].get_legend()
    assert [text.get_text().split(" ")[0] for text in legend.get_texts()] == class_names


def test_of_two_classes_the_malignant_one_has_a_curve(display):
    two = display | {
        "class_names": ["Benign", "Pro"],
        "roc": {name: display["roc"][name] for name in ("Benign", "Pro")},
    }
    legend = nodes.draw_roc_curves(two, OPTIONS).axes[0].get_legend()
    assert [text.get_text().split(" ")[0] for text in legend.get_texts()] == ["Pro"]


def test_the_figure_of_trust_shows_both_curves_and_the_temperature(display):
    figure = nodes.draw_calibration(display, Calibration(2.0, 0.5, 0.5, []).describe(), OPTIONS)
    assert "temperature 2.00" in figure.axes[0].get_title()
    assert [line.get_label() for line in figure.axes[0].lines][1:] == ["as given", "calibrated"]
    assert figure.axes[1].lines[1].get_label() == "opinions at 0.50 or surer"
    assert "24 test images" in figure.get_suptitle()
