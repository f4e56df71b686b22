"""The pipeline `robustness`."""
