"""The pipeline `generate`."""
