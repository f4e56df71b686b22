"""Memory: peak usage, room on a device, and keeping freed memory for reuse."""

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import keras
import psutil

from leukoscope.backend.device import sees_cuda

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of malloc.h in bytes, the last at its maximum.
_MALLOC_OPTIONS = {-1: 2**31 - 1, -2: 2**26, -3: 2**25}


# Linux reports a process' peak in the first file, and resets it on a write to the second.
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


# Share of a GPU's memory that images may occupy.
_HELD_SHARE = 0.25


def has_room_for(size: int) -> bool:
    """Check whether a GPU can hold an array during training, besides everything else that training needs.

    Args:
        size: Size of the array in bytes.
    """
    return size <= _device_bytes() * _HELD_SHARE


def peak_memory_mib() -> float:
    """Return this process' peak memory so far, in MiB: the GPU's if there is one.

    It counts from ``reset_peak_memory``, where the system and the backend support that.
    """
    return (_peak_device_bytes() or _peak_process_bytes()) / 2**20


def reset_peak_memory() -> None:
    """Reset what ``peak_memory_mib`` returns: on Linux, and on a GPU under TensorFlow or torch."""
    with suppress(OSError):
        _CLEAR.write_text("5")
    if sees_cuda() and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats("GPU:0")
    elif sees_cuda() and keras.backend.backend() == "torch":
        import torch

        torch.cuda.reset_peak_memory_stats()


def _peak_process_bytes() -> int:
    _, label, after = (_STATUS.read_text() if _STATUS.is_file() else "").partition("VmHWM:")
    if label:  # not every Linux-like sandbox reports it
        return int(after.split()[0]) * 1024
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _device_bytes() -> int:
    """Return the memory of the first GPU, 0 without one."""
    if not sees_cuda():
        return 0
    match keras.backend.backend():
        case "tensorflow":
            from tensorflow.python.client import device_lib

            gpus = (device for device in device_lib.list_local_devices() if device.device_type == "GPU")
            return next((device.memory_limit for device in gpus), 0)
        case "torch":
            import torch

            return torch.cuda.get_device_properties(0).total_memory
        case "jax":
            import jax

            return (jax.devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    return 0


def _peak_device_bytes() -> int:
    if not sees_cuda():
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


def keep_freed_memory() -> None:
    """Let this process keep large blocks that it frees, instead of returning and requesting them again.

    By default glibc returns them to the system, and each training step, or batch of images, then waits for the system
    to clear the same pages again. Without glibc, nothing changes. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in _MALLOC_OPTIONS.items():
            mallopt(option, value)
