"""Figures, drawn by Matplotlib's object interface, without global state."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    # Kedro resolves the type hints of nodes when a session starts; this must not import Matplotlib.
    Figure = Any

__all__ = ["Figure"]
