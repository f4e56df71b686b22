"""The pipeline `explain`."""
