"""What predictions are worth: figures, intervals, calibration, opinions. NumPy, SciPy and scikit-learn only."""
