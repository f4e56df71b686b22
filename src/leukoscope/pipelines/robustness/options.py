"""Parameters of robustness."""

from pydantic import PositiveInt

from leukoscope.core.options import Options


class RobustnessOptions(Options):
    """The number of test images on which robustness is measured."""

    images: PositiveInt = 200
