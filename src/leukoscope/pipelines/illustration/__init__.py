"""The part of the pipeline `evaluation` that draws pictures."""
