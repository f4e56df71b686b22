"""An export to ONNX copies weights a few times, not dozens of times."""

import os

import keras
import numpy as np
import pytest

from leukoscope.inference.exporting import Exporter
from tiny_reader import make_reader

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are exported under TensorFlow")


def test_neither_the_graph_nor_its_constants_are_copied_and_nothing_is_left_changed(monkeypatch):
    from tf2onnx import tf_loader
    from tf2onnx.graph import Graph, Node

    def note(node, *rest):
        written.append(node.is_const())
        update(node, *rest)

    written, copied, update = [], [], Node.update_proto
    monkeypatch.setattr(Node, "update_proto", note)
    monkeypatch.setattr(Graph, "__deepcopy__", lambda graph, _: copied.append("graph") or graph, raising=False)
    monkeypatch.setattr(tf_loader, "tf_optimize", lambda inputs, outputs, graph: copied.append("frozen") or graph)
    before = dict(os.environ), tf_loader.from_function, Graph.update_proto
    Exporter(make_reader().classifier, 1.0, {}, np.empty((0, 32, 32, 3), np.uint8)).write_onnx("float32")
    assert set(written) == {False}
    assert copied == []
    assert (dict(os.environ), tf_loader.from_function, Graph.update_proto) == before
