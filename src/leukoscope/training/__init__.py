"""How classifiers are trained."""
