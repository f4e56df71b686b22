import numpy as np
import pytest

from figure_parts import list_legend, read_line
from leukoscope.evaluation.selective import measure_aurc, trace_risk
from leukoscope.figures.trust import draw_calibration

RELIABILITY = {
    "as_given": {"confidence": [0.5, 0.9], "right": [0.25, 0.75], "images": [1, 3]},
    "calibrated": {"confidence": [0.4], "right": [0.5], "images": [4]},
}
HITS, CONFIDENCE = np.array([True, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6])
TRACED = (np.round(values, 6).tolist() for values in trace_risk(HITS, CONFIDENCE))
RISK = dict(zip(("coverage", "risk", "confidence"), TRACED, strict=True))


def draw(threshold=0.8, risk=RISK, reliability=RELIABILITY):
    return draw_calibration(reliability, risk, {"temperature": 1.5, "threshold": threshold}, "VGG16, 4 test images")


def test_dots_show_how_often_images_of_a_confidence_are_right_and_how_many_there_are():
    figure = draw()
    axes = figure.axes[0]
    assert read_line(axes, "as given") == ([0.5, 0.9], [0.25, 0.75])
    assert read_line(axes, "calibrated, temperature 1.50") == ([0.4], [0.5])
    given, calibrated = axes.collections
    assert given.get_offsets().tolist() == [[0.5, 0.25], [0.9, 0.75]]
    assert given.get_sizes().tolist() == [8 + 150 / 4, 8 + 450 / 4]
    assert calibrated.get_sizes().tolist() == [158]
    assert figure.get_suptitle() == "VGG16, 4 test images"


def test_the_area_below_the_drawn_risk_is_the_aurc():
    line = draw().axes[1].lines[0]
    coverage, wrong = line.get_xdata(), line.get_ydata()
    assert line.get_drawstyle() == "steps-pre"
    assert coverage.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert np.diff(coverage) @ wrong[1:] == pytest.approx(measure_aurc(HITS, CONFIDENCE), abs=1e-5)


@pytest.mark.parametrize(
    ("threshold", "kept", "words"),
    [
        (0.75, 0.5, "opinions at 0.75 or surer"),
        (0.8, 0.5, "opinions at 0.80 or surer"),
        (0.0, 1, "opinions at 0.00 or surer"),
        (0.95, 0, "opinions at 0.95 or surer"),
        (1.001, 0, "no opinion is sure enough"),
    ],
)
def test_a_line_shows_how_many_images_have_an_opinion(threshold, kept, words):
    axes = draw(threshold).axes[1]
    assert read_line(axes, words)[0] == [kept, kept]
    assert list_legend(axes.get_legend()) == [words]


def test_a_threshold_at_a_traced_confidence_holds_although_that_was_rounded():
    risk = {"coverage": [1.0], "risk": [0.0], "confidence": [0.666666]}
    axes = draw(2 / 3, risk).axes[1]
    assert axes.lines[1].get_xdata() == [1, 1]


def test_a_classifier_that_is_never_wrong_has_a_scale_all_the_same():
    axes = draw(risk={"coverage": [0.5, 1.0], "risk": [0.0, 0.0], "confidence": [0.9, 0.8]}).axes[1]
    assert axes.get_ylim() == (0, 0.05)
    assert draw().axes[1].get_ylim() == (0, pytest.approx(0.4, abs=1e-5))
