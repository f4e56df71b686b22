"""Parameters of robustness."""

from pydantic import PositiveInt

from leukoscope.core.options import Options


class RobustnessOptions(Options):
    """On how many test images robustness is measured."""

    images: PositiveInt = 200
