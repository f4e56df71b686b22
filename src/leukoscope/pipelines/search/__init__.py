"""The pipeline `search`."""
