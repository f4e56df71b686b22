"""Detect acute lymphoblastic leukemia in peripheral-blood smears, and say what the figures are worth."""

from leukoscope import environment  # noqa: F401 (before Kedro's plugins are imported)

__version__ = "0.1.0"
