"""Draw the networks in the configuration, trained or not."""

from typing import Any

from leukoscope.core.errors import InputError
from leukoscope.figures import Figure
from leukoscope.training.entry import ModelOptions
from leukoscope.training.options import CellsOptions, FusionOptions, NetworkOptions
from leukoscope.training.recipe import Recipe

_DRAWN = ("network", "fusion", "cells")


def draw_architectures(models: dict[str, Any], training: Recipe, class_names: list[str]) -> dict[str, Figure]:
    """Draw each network from input to output: its blocks, their shapes and parameters.

    Args:
        models: All entries by name; entries that are not networks are skipped.
        training: The recipe shared by all models, for the input size.
        class_names: The classes; the last layer has one output for each.

    Returns:
        Figures by entry name.

    Raises:
        InputError: None of the entries is a network.
    """
    entries = [ModelOptions.model_validate(entry) for entry in models.values() if entry.get("kind") in _DRAWN]
    networks = [entry for entry in entries if isinstance(entry, NetworkOptions | FusionOptions | CellsOptions)]
    if not networks:
        raise InputError("No entry of models is a network, a fusion or one of cells, so that there is nothing to draw.")
    return {entry.name: _draw(entry, training, class_names) for entry in networks}


def _draw(entry: NetworkOptions | FusionOptions | CellsOptions, training: Recipe, class_names: list[str]) -> Figure:
    import keras

    from leukoscope.figures import architecture
    from leukoscope.models.network import build_empty
    from leukoscope.models.outline import outline_network

    recipe = entry.resolve(training).model_copy(update={"trainable": "all"})
    network = build_empty(entry.network, recipe, class_names).network
    figure = architecture.draw_architecture(entry.title, outline_network(network, entry.network))
    keras.utils.clear_session()  # otherwise several large networks would be in memory at once
    return figure
