"""Architectures, networks, and the interface that all classifiers share."""
