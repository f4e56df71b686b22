"""Conversion to ONNX by tf2onnx with few copies of the weights in memory, where it would keep dozens."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def sparing_memory() -> Iterator[None]:
    """Make tf2onnx, and with it Keras' export to ONNX, copy weights less often in this context.

    NASNetLarge, of 340 MB, took 18 GB: tf2onnx has TensorFlow optimise the frozen graph, although ONNX Runtime folds
    constants itself; it copies the graph before each of a dozen optimisers, several times, in case one fails; and after
    each it writes all constants into unused messages whose memory protobuf keeps.
    """
    from tf2onnx import constants, tf_loader
    from tf2onnx.graph import Graph

    variable = constants.ENV_TF2ONNX_CATCH_ERRORS
    before = os.environ.get(variable), tf_loader.from_function, Graph.update_proto
    os.environ[variable] = "FALSE"
    tf_loader.from_function = _freeze
    Graph.update_proto = _update_proto
    try:
        yield
    finally:
        setting, tf_loader.from_function, Graph.update_proto = before
        if setting is None:
            del os.environ[variable]
        else:
            os.environ[variable] = setting


def _freeze(function: Any, input_names: list[str], output_names: list[str], large_model: bool = False) -> Any:
    """Convert variables to constants as tf2onnx does for large models: without a second graph or optimisation."""
    from tf2onnx import tf_loader

    return tf_loader.convert_variables_to_constants_large_model(function)


def _update_proto(graph: Any, external_tensor_storage: Any = None) -> None:
    """Update the messages of all nodes except constants, whose values the file is made from."""
    for node in graph.get_nodes():
        if not node.is_const():
            node.update_proto(external_tensor_storage)
