"""Blood smears drawn from a seed: the demo and the tests use them in place of photographs."""

from leukoscope.synthetic.cells import CLASSES
from leukoscope.synthetic.smears import DrawnSmear, draw_smear, draw_smear_with_cells, write_smears
from leukoscope.synthetic.stains import Stain

__all__ = ["CLASSES", "DrawnSmear", "Stain", "draw_smear", "draw_smear_with_cells", "write_smears"]
