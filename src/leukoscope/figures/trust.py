"""How far a classifier's probabilities can be trusted."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.evaluation.calibration import bin_confidence
from leukoscope.evaluation.selective import check_calls, trace_risk
from leukoscope.evaluation.trust import Calibration
from leukoscope.figures import colours


def draw_calibration(
    truth: np.ndarray, probabilities: np.ndarray, calibrated: np.ndarray, calibration: Calibration, title: str
) -> Figure:
    """Draw the reliability diagram before and after calibration, and the curve of risk and coverage.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: As the classifier gives them, ``[n, classes]``.
        calibrated: Under the temperature, ``[n, classes]``.
        calibration: Learned from other images.
        title: Of the figure.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, truth, {"as given": probabilities, "calibrated": calibrated})
    left.set_title(f"temperature {calibration.temperature:.2f}", fontsize=10)
    _draw_risk(right, truth, calibrated, calibration.threshold)
    return figure


def _draw_reliability(axes: Axes, truth: np.ndarray, given: dict[str, np.ndarray]) -> None:
    axes.plot([0, 1], [0, 1], ls=":", color="grey", lw=1)
    for (name, probabilities), colour in zip(given.items(), (colours.SKY, colours.BLUE), strict=True):
        sure, right, count = bin_confidence(truth, probabilities)
        some = count > 0
        axes.plot(sure[some], right[some], "-", color=colour, lw=1, label=name)
        axes.scatter(sure[some], right[some], 8 + 150 * count[some] / count.sum(), color=colour)
    axes.set(
        xlabel="confidence (larger dots: more images)", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02)
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")


def _draw_risk(axes: Axes, truth: np.ndarray, probabilities: np.ndarray, threshold: float) -> None:
    hits, confidence = check_calls(truth, probabilities)
    coverage, risk, _ = trace_risk(hits, confidence)
    # Up to each coverage the risk is that of giving so many opinions: the area below is the AURC.
    axes.step(np.append(0, coverage), np.append(risk[0], risk), where="pre", color=colours.BLUE)
    kept = (confidence >= threshold).mean()
    said = f"opinions at {threshold:.2f} or surer" if threshold <= 1 else "no opinion is sure enough"
    axes.axvline(kept, color=colours.VERMILION, lw=1, label=said)
    axes.set(xlabel="share of images with an opinion", ylabel="share of opinions that is wrong", xlim=(0, 1.02))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
