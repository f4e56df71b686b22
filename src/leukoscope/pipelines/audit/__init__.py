"""The pipeline `audit`."""
