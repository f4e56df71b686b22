"""The part of the pipeline `evaluation` that changes the test images."""
