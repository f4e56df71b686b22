"""Generators of smears: they learn from training images, and draw new ones of a class that is asked for."""
