"""The pipeline `architectures`."""
