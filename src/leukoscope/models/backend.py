"""The one module that may reach into the backend below Keras, for what Keras does not tell."""

import sys

import keras
import psutil

# From this compute capability on a GPU has tensor cores that gain by the precision.
_BFLOAT16_CAPABILITY = (8, 0)
_FLOAT16_CAPABILITY = (7, 0)


def describe_device() -> str:
    """Name the device that computes: that of the first GPU or TPU, or ``CPU``."""
    accelerators = list_accelerators()
    return f"{accelerators[0]} x{len(accelerators)}" if accelerators else f"CPU x{psutil.cpu_count()}"


def list_accelerators() -> list[str]:
    """List the GPUs and TPUs that the backend sees."""
    return [*keras.distribution.list_devices("gpu"), *keras.distribution.list_devices("tpu")]


def choose_precision(wanted: str) -> str:
    """Turn ``auto`` into the dtype policy that the device gains by, and leave any other policy as it is.

    Args:
        wanted: ``auto`` or the name of a Keras dtype policy.
    """
    if wanted != "auto":
        return wanted
    capability = _compute_capability()
    if capability >= _BFLOAT16_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= _FLOAT16_CAPABILITY else "float32"


def choose_jit() -> str | bool:
    """Tell whether to compile with XLA: TensorFlow on a CPU is several times slower with it."""
    if keras.backend.backend() == "tensorflow" and not list_accelerators():
        return False
    return "auto"


def peak_memory_mib() -> float:
    """Give the most memory that this process has held so far, in MiB: the GPU's where there is one."""
    return (_peak_device_bytes() or _peak_process_bytes()) / 2**20


def _peak_process_bytes() -> int:
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _compute_capability() -> tuple[int, int]:
    if not keras.distribution.list_devices("gpu"):
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


def _peak_device_bytes() -> int:
    if not keras.distribution.list_devices("gpu"):
        return 0
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
        case "torch":
            import torch

            return torch.cuda.max_memory_allocated()
        case "jax":
            import jax

            return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    return 0
