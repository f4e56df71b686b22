"""The parts of pipelines that collect the outputs of all models."""
