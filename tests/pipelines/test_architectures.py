"""Drawings of the networks of a configuration."""

import pytest

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.pipelines.architectures.nodes import draw_architectures
from leukoscope.training.recipe import Recipe


@pytest.mark.slow
def test_each_network_is_drawn_with_its_own_input_size_whatever_of_it_trains(monkeypatch):
    tiny.add(monkeypatch.setattr)
    entry = {"kind": "network", "architecture": tiny.NAME}
    models = {
        "large": entry | {"name": "large", "training": {"input_size": 64}},
        "frozen": entry | {"name": "frozen", "training": {"trainable": "head"}},
        "forest": {"name": "forest", "kind": "crafted"},
    }
    figures = draw_architectures(models, Recipe(input_size=32), ["a", "b", "c"])
    assert list(figures) == ["large", "frozen"]
    words = {name: [text.get_text() for text in figure.axes[0].texts] for name, figure in figures.items()}
    assert any(line.startswith("input   64 x 64 x 3") for line in words["large"])
    assert any(line.startswith("input   32 x 32 x 3") for line in words["frozen"])
    sums = {name: figure.get_suptitle().split(":")[1] for name, figure in figures.items()}
    assert sums["large"] == sums["frozen"]


def test_a_reader_of_cells_is_drawn_as_the_network_that_it_is(monkeypatch):
    tiny.add(monkeypatch.setattr)
    models = {"own": {"name": "own", "kind": "cells", "architecture": tiny.NAME}}
    (axes,) = draw_architectures(models, Recipe(input_size=32), ["a", "b", "c"])["own"].axes
    assert any("pooling of cells" in text.get_text() for text in axes.texts)


def test_without_a_network_there_is_nothing_to_draw():
    with pytest.raises(InputError, match="nothing to draw"):
        draw_architectures({"forest": {"name": "forest", "kind": "crafted"}}, Recipe(), ["a", "b"])
