"""Common descriptions of trainings without epochs, which scikit-learn runs on the processor."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from leukoscope.evaluation.confirmation import fingerprint_recipe


def describe_engine() -> dict[str, str]:
    """Describe what the results of such a training depend on besides its recipe."""
    return {"backend": "scikit-learn", "precision": "float64", "scikit-learn": version("scikit-learn")}


def describe_training(key: Mapping[str, Any]) -> dict[str, Any]:
    """Describe such a training in the terms of a network's summary.

    Args:
        key: Key of the training.
    """
    return {
        "device": f"CPU x{os.cpu_count()}",
        "backend": key["engine"]["backend"],
        "precision": key["engine"]["precision"],
        "epochs": None,
        "seconds_per_epoch": None,
        "weights": "none",
        "seed": str(key["seed"]),
        "splits": key["splits"],
        "recipe_fingerprint": fingerprint_recipe(key),
    }
