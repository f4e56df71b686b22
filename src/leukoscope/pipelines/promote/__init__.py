"""The pipeline `promote`."""
