"""Blood smears drawn from a seed: what the demo and the tests use in place of photographs."""

from leukoscope.synthetic.cells import CLASSES
from leukoscope.synthetic.smears import draw_smear, write_smears
from leukoscope.synthetic.stains import Stain

__all__ = ["CLASSES", "Stain", "draw_smear", "write_smears"]
