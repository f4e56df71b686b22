"""What parameters of different pipelines have to do with each other."""

from collections.abc import Collection
from typing import Any

from leukoscope.models.backbones import BACKBONES
from leukoscope.models.mapping import ClassMapping
from leukoscope.models.recipes import resolve_recipe
from leukoscope.options import plain_name, refuse_unknown_names


def check_parameters(parameters: dict[str, Any], given: Collection[str]) -> None:
    """Check what parameters of different pipelines have to do with each other.

    Args:
        parameters: All parameters, validated.
        given: The names of those that the command line sets.

    Raises:
        InputError: A recipe does not fit its backbone.
        ValueError: Parameters contradict each other.
    """
    for name in BACKBONES:
        own = parameters[name]
        if own.backbone != name:
            raise ValueError(f"{name}.backbone is '{own.backbone}'; it must be {name}")
        resolve_recipe(name, parameters["training"], own.training)
    seed, benign, classes = parameters["seed"], parameters["evaluation"].benign_class, parameters["class_names"]
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number, 0 or more")
    if not isinstance(classes, list) or len({plain_name(str(name)) for name in classes}) < max(2, len(classes)):
        raise ValueError(
            f"class_names is {classes!r}; it must be a list of two or more names that differ in more than case, space "
            f"and hyphen"
        )
    refuse_unknown_names(parameters["ingestion"].expected_counts or {}, classes, " in ingestion.expected_counts")
    if benign not in classes:
        raise ValueError(f"evaluation.benign_class is '{benign}', which is none of class_names: {', '.join(classes)}")
    ClassMapping.resolve(parameters["external"].class_map, classes, benign)
    if "group_table" in given and parameters["splitting"].group_by != "table":
        raise ValueError("group_table is given and would not be used: give splitting.group_by=table too")
