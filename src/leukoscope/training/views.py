"""The key and summary of a model that sees fields in several views; nothing of it is trained."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from leukoscope.models.base import Classifier
from leukoscope.training import without_epochs

# Raise by hand when the same key would give another model.
VIEWS_FORMAT = 1
_WORDS = {
    "symmetries": "the eight symmetries of the square",
    "rotations": "eight rotations, each by 45 degrees more",
}


def describe_key(recipe: Mapping[str, Any], name: str, member: Classifier, seed: int) -> dict[str, Any]:
    """Collect everything that determines the model; its name is not part of it.

    Args:
        recipe: The kind, and the ``recipe`` in effect.
        name: The entry of the trained classifier.
        member: The classifier.
        seed: Seed of the run.
    """
    facts = {"models": {name: member.fingerprint}, "class_names": list(member.class_names), "splits": member.trained_on}
    engine = {"backend": "Pillow", "precision": "uint8", "pillow": version("pillow")}  # Pillow rotates the fields
    return {**recipe, **facts, "seed": seed, "format": VIEWS_FORMAT, "engine": engine}


def summarise(key: Mapping[str, Any], member: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the model for its summary.

    Args:
        key: Key of the training.
        member: The classifier's entry.
        summary: Summary of the classifier's training.
    """
    same = {name: summary[name] for name in ("parameters", "model_mib", "input_size") if name in summary}
    described = {"description": f"{member} under {_WORDS[key['recipe']['views']]}: the mean of its scores"}
    return without_epochs.describe_training(key) | described | same | {"weights": f"those of {member}"}
