import numpy as np
import pytest
from scipy import stats

from leukoscope.features.colour import MOMENTS, measure_colours


def measure(colours) -> dict[str, float]:
    return dict(zip(MOMENTS, measure_colours(np.asarray(colours, np.uint8)), strict=True))


def test_moments_are_those_of_each_channel(rng):
    colours = rng.integers(0, 256, (500, 3))
    said = measure(colours)
    for number, name in enumerate(("red", "green", "blue")):
        values = colours[:, number].astype(float)
        expected = [values.mean(), values.std(), stats.skew(values), stats.kurtosis(values)]
        assert [said[f"{name}_{moment}"] for moment in ("mean", "deviation", "skewness", "kurtosis")] == pytest.approx(
            expected
        )


def test_hue_has_no_end():
    """Red lies at 0 and at 360 degrees: pixels at 350 and 10 are around 0, not 180."""
    said = measure([(255, 0, 43), (255, 43, 0)])  # 349.9 and 10.1 degrees
    assert min(said["hue_mean"], 360 - said["hue_mean"]) == pytest.approx(0, abs=0.1)
    assert said["hue_deviation"] == pytest.approx(10.1, abs=0.1)


def test_one_colour_alone_has_only_means():
    said = measure([(10, 200, 90)] * 5)
    assert {name for name, value in said.items() if value > 1e-6} == {
        f"{name}_mean" for name in ("red", "green", "blue", "hue", "saturation", "value")
    }
    assert said["saturation_mean"] == pytest.approx(0.95)
