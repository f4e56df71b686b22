"""The pipeline `comparison`."""
