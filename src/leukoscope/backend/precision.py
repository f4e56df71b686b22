"""The precision in which a device trains, and the software that computes."""

from importlib import import_module

import keras

from leukoscope.backend.device import cpu_has_bfloat16, is_tensorflow_on_cpu, list_accelerators, sees_cuda

# The minimum compute capability of GPUs whose tensor cores benefit from the precision.
_BFLOAT16_CAPABILITY = (8, 0)


_FLOAT16_CAPABILITY = (7, 0)


def describe_engine(precision: str) -> dict[str, str]:
    """Describe what training results depend on besides the recipe: backend, precision, versions.

    Args:
        precision: ``auto`` or the name of a Keras dtype policy.
    """
    name = keras.backend.backend()
    engine = {"backend": name, "precision": choose_precision(precision)}
    return engine | {"keras": keras.__version__, name: import_module(name).__version__}


def choose_precision(wanted: str) -> str:
    """Resolve ``auto`` to the dtype policy that suits the device, and return any other policy unchanged.

    On a GPU it is the precision of its tensor cores; on a TPU it is bfloat16, and likewise under TensorFlow on a CPU
    with bfloat16 instructions (benchmarks/bench_training.py measures what each backbone gains there).

    Args:
        wanted: ``auto`` or the name of a Keras dtype policy.
    """
    if wanted != "auto":
        return wanted
    if is_tensorflow_on_cpu():
        return "mixed_bfloat16" if cpu_has_bfloat16() else "float32"
    if any(name.startswith("tpu") for name in list_accelerators()):
        return "mixed_bfloat16"
    capability = _compute_capability()
    if capability >= _BFLOAT16_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= _FLOAT16_CAPABILITY else "float32"


def _compute_capability() -> tuple[int, int]:
    if not sees_cuda():
        return (0, 0)
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
            return tuple(details.get("compute_capability", (0, 0)))
        case "torch":
            import torch

            return torch.cuda.get_device_capability()
        case "jax":
            import jax

            major, minor = str(getattr(jax.devices()[0], "compute_capability", "0.0")).split(".")
            return (int(major), int(minor))
    return (0, 0)
