"""Measure prediction quality: metrics, intervals, calibration, opinions. NumPy, SciPy and scikit-learn only."""
