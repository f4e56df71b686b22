"""The pipeline `augmentation`."""
