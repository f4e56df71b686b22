"""Optical densities of dyes."""

import numpy as np

# Optical densities of haematoxylin, eosin and DAB in red, green and blue: Ruifrok and Johnston 2001.
DENSITIES = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])

# Methylene blue, eosin, and a residual perpendicular to both: the Giemsa of ImageJ's colour deconvolution
# (Landini et al. 2021, Colour deconvolution: stain unmixing in histological imaging).
GIEMSA = np.array([[0.83475, 0.51356, 0.19633], [0.09279, 0.95411, 0.28311], [-0.05368, -0.27926, 0.95871]])
