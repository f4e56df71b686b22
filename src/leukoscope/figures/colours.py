"""Okabe and Ito's palette, which the colour-blind can tell apart: https://jfly.uni-koeln.de/color/."""

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, VERMILION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
YELLOW, BLACK = "#F0E442", "#000000"
# Of the metrics in a comparison, in their order.
OF_SCORES = (BLUE, GREEN, PURPLE, YELLOW, BLACK)
