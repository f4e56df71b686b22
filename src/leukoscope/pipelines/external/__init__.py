"""The pipeline `external`."""
