"""The pipeline `agreement`."""
