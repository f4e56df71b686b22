"""The pipeline `monitoring`."""
