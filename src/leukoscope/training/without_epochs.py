"""What trainings have in common that scikit-learn does on the processor, without epochs."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from leukoscope.evaluation.confirmation import fingerprint_recipe


def describe_engine() -> dict[str, str]:
    """Tell what the numbers of such a training depend on beside what it is told to do."""
    return {"backend": "scikit-learn", "precision": "float64", "scikit-learn": version("scikit-learn")}


def describe_training(key: Mapping[str, Any]) -> dict[str, Any]:
    """Say of any such training what a network's summary says of it.

    Args:
        key: Of the training.
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
