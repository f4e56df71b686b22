"""The table at the end of a run has what was judged on the present test images, and says what it is worth."""

import pandas as pd
import pytest

from compared import make_comparison
from leukoscope.reporting.terminal import tabulate_results

COLOUR = make_comparison()["colour_baseline"]


@pytest.fixture
def comparison() -> pd.DataFrame:
    return make_comparison()["comparison"]


def test_columns_stand_below_each_other():
    lines = tabulate_results(**make_comparison()).splitlines()
    assert lines[0].split("  ")[0] == "model"
    assert lines[1].split() == ["ResNet50", "0.80", "(0.70", "to", "0.88)", "0.79", "0.94", "not", "shown", "60", "s"]
    assert lines[2].split()[-3:] == ["better", "8", "min"]
    assert lines[0].index("test accuracy") == lines[1].index("0.80") == lines[3].index("0.50")
    assert len(lines[0]) == len(lines[1])


def test_a_model_that_colour_beats_is_called_worse():
    tables = make_comparison()
    tables["differences"].loc[2, "difference"] = -0.1
    assert "worse" in tabulate_results(**tables).splitlines()[2]


def test_other_test_images_are_left_out_and_colour_has_a_row(comparison):
    text = tabulate_results(comparison.assign(splits=["now", "before"]), COLOUR)
    assert "VGG16" not in text
    assert "stain colour alone  0.50 (0.40 to 0.60)" in text
    assert "VGG16" in tabulate_results(comparison.assign(splits=["now", "before"]), None)
    assert "stain colour alone" not in tabulate_results(comparison, None)


def test_figures_of_drawn_images_are_called_so(comparison):
    assert "Drawn data: Leukoscope drew all 640 images." in tabulate_results(comparison, COLOUR)
    assert "Drawn" not in tabulate_results(comparison.assign(drawn_images=0), COLOUR)
    assert "Drawn" not in tabulate_results(comparison.assign(drawn_images=None), COLOUR)


def test_what_is_not_known_is_a_dash_without_an_interval(comparison):
    unknown = comparison.head(1).assign(test_accuracy_low=None, test_accuracy_high=None, test_auc=None)
    assert "ResNet50  0.80" in tabulate_results(unknown, None)
    assert " - " in tabulate_results(unknown, None)
    assert "to" not in tabulate_results(unknown.assign(drawn_images=0), None)
