"""Detect acute lymphoblastic leukemia in peripheral-blood smears, and say what the figures are worth."""

__version__ = "0.1.0"
