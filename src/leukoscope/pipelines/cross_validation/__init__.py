"""The pipeline `cross_validation`."""
