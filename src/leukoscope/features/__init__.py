"""Image features computed without a network."""
