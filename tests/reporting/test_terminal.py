"""The table at the end of a run has what was judged on the present test images, and says what it is worth."""

import pandas as pd
import pytest

from leukoscope.reporting.terminal import tabulate_results

COLOUR = {"splits": "now", "accuracy": 0.5, "low": 0.4, "high": 0.6}


@pytest.fixture
def comparison() -> pd.DataFrame:
    figures = {"test_accuracy": 0.81, "test_accuracy_low": 0.7, "test_accuracy_high": 0.9, "test_macro_f1": 0.8}
    costs = {"test_auc": 0.94, "input_size": 48, "epochs": 8, "seconds_per_epoch": 7.46, "splits": "now"}
    row = {"title": "ResNet50"} | figures | costs | {"drawn_images": 640, "accepted_images": 640}
    return pd.DataFrame([row, row | {"title": "VGG16", "splits": "before"}])


def test_columns_stand_below_each_other(comparison):
    lines = tabulate_results(comparison, COLOUR).splitlines()
    assert lines[0].split("  ")[0] == "model"
    assert lines[1].split() == ["ResNet50", "0.81", "(0.70", "to", "0.90)", "0.80", "0.94", "48", "8", "7.5"]
    assert lines[0].index("test accuracy") == lines[1].index("0.81") == lines[2].index("0.50")
    assert len(lines[0]) == len(lines[1])


def test_other_test_images_are_left_out_and_colour_has_a_row(comparison):
    text = tabulate_results(comparison, COLOUR)
    assert "VGG16" not in text
    assert "stain colour alone  0.50 (0.40 to 0.60)" in text
    assert "VGG16" in tabulate_results(comparison, None)
    assert "stain colour" not in tabulate_results(comparison, None)


def test_figures_of_drawn_images_are_called_so(comparison):
    assert "Drawn data: Leukoscope drew all 640 images." in tabulate_results(comparison, COLOUR)
    assert "Drawn" not in tabulate_results(comparison.assign(drawn_images=0), COLOUR)
    assert "Drawn" not in tabulate_results(comparison.assign(drawn_images=None), COLOUR)


def test_what_is_not_known_is_a_dash_without_an_interval(comparison):
    unknown = comparison.head(1).assign(test_accuracy_low=None, test_accuracy_high=None, test_auc=None)
    assert "ResNet50  0.81" in tabulate_results(unknown, None)
    assert " - " in tabulate_results(unknown, None)
    assert "to" not in tabulate_results(unknown.assign(drawn_images=0), None)
