"""What parameters of different pipelines have to do with each other."""

import reprlib
from collections.abc import Collection
from typing import Any

from leukoscope.core.class_names import require_benign, require_class_names
from leukoscope.core.options import refuse_unknown_names
from leukoscope.evaluation.class_mapping import ClassMapping
from leukoscope.models.architecture import BACKBONES
from leukoscope.training.recipe import resolve_recipe

_SEEDS = 2**32  # of NumPy's older generators, which scikit-learn and Keras use


def check_parameters(parameters: dict[str, Any], given: Collection[str]) -> None:
    """Check what parameters of different pipelines have to do with each other.

    Args:
        parameters: All parameters, validated.
        given: The names of those that the command line sets.

    Raises:
        InputError: A recipe that the command line changes does not fit its backbone.
        ValueError: Parameters contradict each other.
    """
    for name in BACKBONES:
        own = parameters[name]
        if own.backbone != name:
            raise ValueError(f"{name}.backbone is '{own.backbone}'; it must be {name}")
        if name in given:  # what all share need only fit the backbones that are run
            resolve_recipe(name, parameters["training"], own.training)
    seed, benign, classes = parameters["seed"], parameters["evaluation"].benign_class, parameters["class_names"]
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < _SEEDS:
        raise ValueError(f"seed is {reprlib.repr(seed)}; it must be a whole number, 0 or more and below {_SEEDS}")
    require_class_names(classes)
    require_benign(benign, classes)
    refuse_unknown_names(parameters["ingestion"].expected_counts or {}, classes, " in ingestion.expected_counts")
    ClassMapping.resolve(parameters["external"].class_map, classes, benign)
    if "group_table" in given and parameters["splitting"].group_by != "table":
        raise ValueError("group_table is given and would not be used: give splitting.group_by=table too")
