"""The pipeline `cells`."""
