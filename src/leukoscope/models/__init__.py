"""Backbones, classifiers, recipes, training and scoring."""
