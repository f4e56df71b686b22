"""The one module that may reach into the backend below Keras, for what Keras does not tell."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MethodType
from typing import Any

import keras
import psutil

from leukoscope.errors import InputError

# From this compute capability on a GPU has tensor cores that gain by the precision.
_BFLOAT16_CAPABILITY = (8, 0)
_FLOAT16_CAPABILITY = (7, 0)
_STEPS_PER_CALL = 8
# Linux keeps a process' peak in the one, and forgets it when the other is told to.
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Of a GPU's memory, for the images themselves.
_HELD_SHARE = 0.25


def describe_device() -> str:
    """Name the device that computes: that of the first GPU or TPU, or ``CPU``."""
    accelerators = list_accelerators()
    return f"{_name_accelerator()} x{len(accelerators)}" if accelerators else f"CPU x{psutil.cpu_count()}"


def describe_engine(precision: str) -> dict[str, str]:
    """Tell what the numbers of a training depend on beside its recipe: backend, precision, versions.

    Args:
        precision: ``auto`` or the name of a Keras dtype policy.
    """
    name = keras.backend.backend()
    own = {"backend": name, "precision": choose_precision(precision)}
    return own | {"keras": keras.__version__, name: import_module(name).__version__}


def list_accelerators() -> list[str]:
    """List the GPUs and TPUs that the backend sees."""
    if keras.backend.backend() == "torch":  # whose devices Keras does not list
        import torch

        kind = torch.accelerator.current_accelerator()
        return [f"{kind.type}:{number}" for number in range(torch.accelerator.device_count())] if kind else []
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def sees_cuda() -> bool:
    """Tell whether the backend sees a GPU; of torch's accelerators only CUDA's count."""
    return any(name.startswith(("gpu", "cuda")) for name in list_accelerators())


def choose_precision(wanted: str) -> str:
    """Turn ``auto`` into the dtype policy that suits the device, and leave any other policy as it is.

    On a GPU it is what its tensor cores compute with, on a TPU bfloat16, and so under TensorFlow on a CPU that has
    instructions for it (benchmarks/bench_training.py measures what each backbone gains there).

    Args:
        wanted: ``auto`` or the name of a Keras dtype policy.
    """
    if wanted != "auto":
        return wanted
    if _is_tensorflow_on_cpu():
        return "mixed_bfloat16" if cpu_has_bfloat16() else "float32"
    if any(name.startswith("tpu") for name in list_accelerators()):
        return "mixed_bfloat16"
    capability = _compute_capability()
    if capability >= _BFLOAT16_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= _FLOAT16_CAPABILITY else "float32"


@contextmanager
def distribution(wanted: bool, batch_size: int) -> Iterator[None]:
    """Let models that are built in this context train on all devices, each with a share of every batch.

    Args:
        wanted: Whether to; else nothing changes.
        batch_size: Images in a batch.

    Raises:
        InputError: The backend cannot, or the batch cannot be shared equally.
    """
    if not wanted:
        yield
        return
    if keras.backend.backend() != "jax":
        raise InputError(
            f"training.data_parallel is true, and Keras distributes training under JAX only, not under "
            f"{keras.backend.backend()}. Set KERAS_BACKEND=jax, or training.data_parallel=false."
        )
    devices = keras.distribution.list_devices()
    if batch_size % len(devices):
        raise InputError(
            f"A batch of {batch_size} images cannot be shared by {len(devices)} devices. Choose a training.batch_size "
            f"that {len(devices)} divides."
        )
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def choose_steps_per_call(steps: int) -> int:
    """Tell how many training steps to give the device in one call: a fast one would wait for Python between them.

    Args:
        steps: Of an epoch.
    """
    return min(_STEPS_PER_CALL, steps) if list_accelerators() and keras.backend.backend() != "torch" else 1


def use_faster_kernels(network: keras.Model) -> None:
    """Let a network compute with the faster of TensorFlow's kernels, where nothing else would choose them.

    Only this process's ``call`` of the layers changes: their weights, their configuration and what is saved do not.

    - Where Keras has XLA compile networks, on a GPU, it has it compile none that also augments: XLA cannot compile that
      (images/augmentation.py). There the network is compiled by itself.
    - Keras computes a batch norm's moments and normalisation one by one and trusts XLA to fuse them; on a CPU, where
      XLA is off, they are the largest single cost of a training step. TensorFlow has a kernel that is fused.
    - On a CPU the gradient of a strided depthwise convolution's input takes many times as long in bfloat16 as in
      float32 (docs/adr/0010-one-engine-for-all-backends.md). It is computed in float32.

    Args:
        network: Of images with the channels last.
    """
    if keras.backend.backend() == "tensorflow" and network.jit_compile:
        network.call = MethodType(_call_by_xla, network)
    if not _is_tensorflow_on_cpu():
        return
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.call = MethodType(_normalise, layer)
        elif isinstance(layer, keras.layers.DepthwiseConv2D) and _has_slow_gradient(layer):
            layer.call = MethodType(_convolve, layer)


def _is_tensorflow_on_cpu() -> bool:
    return keras.backend.backend() == "tensorflow" and not list_accelerators()


def _call_by_xla(network: keras.Model, *inputs: Any, **options: Any) -> Any:
    """Compute what the network's own ``call`` does; traced each time, since which layers train may have changed."""
    import tensorflow as tf

    return tf.function(partial(type(network).call, network), jit_compile=True, autograph=False)(*inputs, **options)


def _normalise(
    layer: keras.layers.BatchNormalization, inputs: Any, training: bool | None = None, mask: None = None
) -> Any:
    """Compute what ``BatchNormalization.call`` does, by ``FusedBatchNormV3``, statistics in float32."""
    import tensorflow as tf

    learns = bool(training) and layer.trainable
    channels = layer.moving_mean.shape
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(channels),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(channels),
        mean=[] if learns else tf.convert_to_tensor(layer.moving_mean),
        variance=[] if learns else tf.convert_to_tensor(layer.moving_variance),
        epsilon=layer.epsilon,
        is_training=learns,
    )
    if learns:
        count = tf.cast(tf.size(inputs) / channels[0], variance.dtype)
        biased = variance * (count - 1) / count  # the kernel's is not, and Keras' moving one is
        for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, biased)):
            moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return outputs


def _has_slow_gradient(layer: keras.layers.DepthwiseConv2D) -> bool:
    """Tell whether a layer is a plain strided convolution in bfloat16: without a bias, an activation or holes."""
    plain = not layer.use_bias and layer.activation is keras.activations.linear and set(layer.dilation_rate) == {1}
    return plain and set(layer.strides) != {1} and layer.compute_dtype == "bfloat16"


def _convolve(layer: keras.layers.DepthwiseConv2D, inputs: Any) -> Any:
    """Compute what ``DepthwiseConv2D.call`` does, and the gradient of its input in float32."""
    import tensorflow as tf

    options = {"strides": (1, *layer.strides, 1), "padding": layer.padding.upper()}

    @tf.custom_gradient
    def convolve(images: Any, kernel: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
        def differentiate(upstream: Any) -> tuple[Any, Any]:
            of_images = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(images),
                filter=tf.cast(kernel, "float32"),
                out_backprop=tf.cast(upstream, "float32"),
                **options,
            )
            of_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=images, filter_sizes=tf.shape(kernel), out_backprop=upstream, **options
            )
            return tf.cast(of_images, images.dtype), of_kernel

        return tf.raw_ops.DepthwiseConv2dNative(input=images, filter=kernel, **options), differentiate

    return convolve(inputs, tf.convert_to_tensor(layer.kernel))


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
    _, found, after = (_STATUS.read_text() if _STATUS.is_file() else "").partition("VmHWM:")
    if found:  # not every sandbox that looks like Linux tells it
        return int(after.split()[0]) * 1024
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_has_bfloat16() -> bool:
    """Tell whether the processor has instructions for bfloat16, where the system says so: on Linux."""
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


def _device_bytes() -> int:
    """Give the memory of the first GPU, 0 without one."""
    if not sees_cuda():
        return 0
    match keras.backend.backend():
        case "tensorflow":
            from tensorflow.python.client import device_lib

            gpus = (one for one in device_lib.list_local_devices() if one.device_type == "GPU")
            return next((one.memory_limit for one in gpus), 0)
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
