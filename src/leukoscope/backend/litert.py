"""Options of TensorFlow's converter to LiteRT."""

from collections.abc import Callable, Iterable
from typing import Any


def choose_litert_options(precision: str, give_examples: Callable[[], Iterable[Any]]) -> dict[str, Any]:
    """Give the options of TensorFlow's converter to LiteRT.

    Args:
        precision: ``float32``, ``float16`` (weights) or ``int8`` (weights and activations).
        give_examples: Gives what the ranges of int8 are learned from.
    """
    import tensorflow as tf

    plain = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # none for which a small machine would need TensorFlow
    smaller = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    match precision:
        case "float16":
            return smaller | {"target_spec": plain | {"supported_types": [tf.float16]}}
        case "int8":
            return smaller | {"target_spec": plain, "representative_dataset": give_examples}
    return {"target_spec": plain}
