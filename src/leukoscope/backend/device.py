"""The computing device."""

from pathlib import Path

import keras
import psutil


def describe_device() -> str:
    """Describe the computing device: the name of the first GPU or TPU, or ``CPU``."""
    accelerators = list_accelerators()
    return f"{_name_accelerator()} x{len(accelerators)}" if accelerators else f"CPU x{psutil.cpu_count()}"


def list_accelerators() -> list[str]:
    """List the GPUs and TPUs that the backend sees."""
    if keras.backend.backend() == "torch":  # Keras does not list torch's devices
        import torch

        kind = torch.accelerator.current_accelerator()
        return [f"{kind.type}:{number}" for number in range(torch.accelerator.device_count())] if kind else []
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def sees_cuda() -> bool:
    """Check whether the backend sees a GPU; of torch's accelerators only CUDA's count."""
    return any(name.startswith(("gpu", "cuda")) for name in list_accelerators())


def is_tensorflow_on_cpu() -> bool:
    """Check whether TensorFlow computes, without an accelerator."""
    return keras.backend.backend() == "tensorflow" and not list_accelerators()


def cpu_has_bfloat16() -> bool:
    """Check whether the processor has bfloat16 instructions; only Linux reports them."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and any(flag in flags.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def _name_accelerator() -> str:
    match keras.backend.backend():
        case "tensorflow" if sees_cuda():
            import tensorflow as tf

            details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
            return str(details.get("device_name", "GPU"))
        case "torch" if sees_cuda():
            import torch

            return torch.cuda.get_device_name()
        case "jax":
            import jax

            return jax.devices()[0].device_kind
    return list_accelerators()[0]
