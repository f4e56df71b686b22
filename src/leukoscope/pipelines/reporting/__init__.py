"""The pipeline `reporting`."""
