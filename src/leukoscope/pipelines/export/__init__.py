"""The pipeline `export`."""
