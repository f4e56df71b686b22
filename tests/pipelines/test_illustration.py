from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.trust import Calibration
from leukoscope.pipelines.illustration import nodes
from made_entries import make_entry

OPTIONS = make_entry("resnet50")


def test_the_confusion_matrix_counts_the_test_set(predictions, class_names):
    figure = nodes.draw_confusion_matrix(predictions, class_names, OPTIONS)
    counts = [int(text.get_text()) for text in figure.axes[0].texts]
    assert sum(counts) == 24
    assert "24 test images" in figure.get_suptitle()


def test_the_roc_figure_has_a_curve_a_class(predictions, class_names):
    legend = nodes.draw_roc_curves(predictions, class_names, OPTIONS).axes[0].get_legend()
    assert [text.get_text().split(" ")[0] for text in legend.get_texts()] == class_names


def test_the_figure_of_trust_shows_both_curves_and_the_temperature(predictions, class_names):
    columns = probability_columns(class_names)
    opinions = predictions.copy()
    opinions[columns] = apply_temperature(predictions[columns].to_numpy(), 2.0)
    calibration = Calibration(2.0, 0.5, 0.5, []).describe()
    figure = nodes.draw_calibration(predictions, opinions, calibration, class_names, OPTIONS)
    assert "temperature 2.00" in figure.axes[0].get_title()
    assert "24 test images" in figure.get_suptitle()
