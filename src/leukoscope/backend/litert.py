"""Options of TensorFlow's converter to LiteRT."""

from collections.abc import Callable, Iterable
from typing import Any


def choose_litert_options(precision: str, give_examples: Callable[[], Iterable[Any]]) -> dict[str, Any]:
    """Return the options of TensorFlow's converter to LiteRT.

    Args:
        precision: ``float32``, ``float16`` (weights) or ``int8`` (weights and activations).
        give_examples: Yields the examples from which int8 ranges are calibrated.
    """
    import tensorflow as tf

    plain = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # no operations that need TensorFlow on small machines
    smaller = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    match precision:
        case "float16":
            return smaller | {"target_spec": plain | {"supported_types": [tf.float16]}}
        case "int8":
            return smaller | {"target_spec": plain, "representative_dataset": give_examples}
    return {"target_spec": plain}
