"""The pipeline `training`."""
