"""How dyes absorb light."""

import numpy as np

# Optical densities of haematoxylin, eosin and DAB in red, green and blue: Ruifrok and Johnston 2001.
DENSITIES = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
