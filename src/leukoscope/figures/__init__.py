"""Figures, drawn by Matplotlib's object interface, without global state."""
