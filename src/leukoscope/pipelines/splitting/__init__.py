"""The pipeline `splitting`."""
