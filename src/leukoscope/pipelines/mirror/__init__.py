"""The pipeline `mirror`."""
