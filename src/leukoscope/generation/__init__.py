"""Smear generators: they learn from training images, and draw new ones of a given class."""
