"""Memory: what was used at most, what a device has room for, and what a process keeps for what it needs again."""

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import keras
import psutil

from leukoscope.backend.device import sees_cuda

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of malloc.h in bytes, the last at the most that it can be.
_MALLOC_OPTIONS = {-1: 2**31 - 1, -2: 2**26, -3: 2**25}


# Linux keeps a process' peak in the one, and forgets it when the other is told to.
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


# Of a GPU's memory, for the images themselves.
_HELD_SHARE = 0.25


def has_room_for(size: int) -> bool:
    """Tell whether a GPU can hold an array for as long as it trains, beside all else that training needs.

    Args:
        size: Of the array in bytes.
    """
    return size <= _device_bytes() * _HELD_SHARE


def peak_memory_mib() -> float:
    """Give the most memory that this process has held so far, in MiB: the GPU's where there is one.

    So far is since ``reset_peak_memory``, where the system and the backend can do that.
    """
    return (_peak_device_bytes() or _peak_process_bytes()) / 2**20


def reset_peak_memory() -> None:
    """Let ``peak_memory_mib`` begin anew: on Linux, and on a GPU under TensorFlow or torch."""
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
    if label:  # not every sandbox that looks like Linux tells it
        return int(after.split()[0]) * 1024
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _device_bytes() -> int:
    """Give the memory of the first GPU, 0 without one."""
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
    """Let this process keep large blocks that it frees, instead of handing them back and asking for them anew.

    By default glibc returns them to the system, and each training step, or batch of images, then waits for the system
    to clear the same pages again. Elsewhere than with glibc nothing is changed. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in _MALLOC_OPTIONS.items():
            mallopt(option, value)
