"""Faster kernels of the backends, and the number of training steps per call to the device."""

from collections.abc import Callable
from functools import cache, partial
from types import MethodType
from typing import Any

import keras
import numpy as np

from leukoscope.backend.device import is_tensorflow_on_cpu, list_accelerators

_STEPS_PER_CALL = 8


def choose_steps_per_call(steps: int) -> int:
    """Return the number of training steps per call to the device: a fast one would wait for Python between steps.

    Args:
        steps: Steps per epoch.
    """
    return min(_STEPS_PER_CALL, steps) if list_accelerators() and keras.backend.backend() != "torch" else 1


def use_faster_kernels(network: keras.Model) -> None:
    """Make a network use the faster of its backend's kernels, where nothing else would choose them.

    Only this process's ``call`` of the layers changes: their weights, configuration and saved form do not.

    - Keras has XLA compile networks on a GPU, but not those that also augment, since XLA cannot compile augmentation
      (images/augmentation.py). There the network is compiled separately.
    - Keras computes a batch norm's moments and normalisation one by one and relies on XLA to fuse them; on a CPU, where
      XLA is off, they are the largest single cost of a training step. TensorFlow has a fused kernel for maps; a batch
      norm of vectors stays as it is.
    - Under PyTorch each of those operations is also a kernel that Python launches, dozens for each batch norm, while a
      GPU waits. PyTorch's own batch norm is a single kernel.
    - On a CPU the gradient of a strided depthwise convolution's input takes many times as long in bfloat16 as in
      float32 (docs/adr/0010-one-engine-for-all-backends.md). It is computed in float32.

    Args:
        network: A network of images with channels last.
    """
    if keras.backend.backend() == "tensorflow" and network.jit_compile:
        network.call = MethodType(_call_by_xla, network)
    on_cpu = is_tensorflow_on_cpu()
    normalise = _normalise if on_cpu else _normalise_by_torch if keras.backend.backend() == "torch" else None
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.input_spec.ndim == 4 and normalise:
            layer.call = MethodType(normalise, layer)
        elif isinstance(layer, keras.layers.DepthwiseConv2D) and on_cpu and _has_slow_gradient(layer):
            layer.call = MethodType(_convolve, layer)


def use_faster_updates(optimizer: keras.optimizers.Optimizer) -> None:
    """Make Adam update each variable with one kernel where nothing fuses its dozen operations: TensorFlow on a CPU.

    With tens of millions of weights, the separate operations cost several hundredths of a second more per step.

    Args:
        optimizer: Any optimizer; only Adam is changed, and of it only this process's ``update_step``.
    """
    if is_tensorflow_on_cpu() and isinstance(optimizer, keras.optimizers.Adam) and not optimizer.amsgrad:
        optimizer.update_step = MethodType(_update, optimizer)


def _update(optimizer: keras.optimizers.Adam, gradient: Any, variable: Any, learning_rate: Any) -> None:
    """Compute the same as ``Adam.update_step``, by ``ResourceApplyAdam``, which rounds differently."""
    import tensorflow as tf

    if tf.distribute.has_strategy():
        type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
        return
    place = optimizer._get_variable_index(variable)
    step = tf.cast(optimizer.iterations.value, variable.dtype) + 1
    betas = {"beta1": optimizer.beta_1, "beta2": optimizer.beta_2}
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[place].value.handle,
        v=optimizer._velocities[place].value.handle,
        lr=tf.cast(learning_rate, variable.dtype),
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, variable.dtype),
        **betas,
        **{f"{name}_power": tf.pow(tf.cast(beta, variable.dtype), step) for name, beta in betas.items()},
    )


def _call_by_xla(network: keras.Model, *inputs: Any, **options: Any) -> Any:
    """Compute the same as the network's own ``call``; traced each time, since the trainable layers may have changed."""
    import tensorflow as tf

    return tf.function(partial(type(network).call, network), jit_compile=True, autograph=False)(*inputs, **options)


def _normalise(
    layer: keras.layers.BatchNormalization, inputs: Any, training: bool | None = None, mask: None = None
) -> Any:
    """Compute the same as ``BatchNormalization.call``, by ``FusedBatchNormV3``, with statistics in float32."""
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
        biased = variance * (count - 1) / count  # the kernel's variance is unbiased, Keras' moving variance is biased
        for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, biased)):
            moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return outputs


def _normalise_by_torch(
    layer: keras.layers.BatchNormalization, inputs: Any, training: bool | None = None, mask: None = None
) -> Any:
    """Compute the same as ``BatchNormalization.call``, by PyTorch's own kernel, with statistics in float32."""
    import torch

    learns = bool(training) and layer.trainable
    # a view: PyTorch recognises these strides as its channels-last format
    outputs, mean, deviation = torch.native_batch_norm(
        keras.ops.convert_to_tensor(inputs).permute(0, 3, 1, 2),
        layer.gamma.value if layer.scale else None,
        layer.beta.value if layer.center else None,
        None if learns else layer.moving_mean.value,
        None if learns else layer.moving_variance.value,
        learns,
        0.0,
        layer.epsilon,
    )
    if learns:
        variance = deviation.detach() ** -2 - layer.epsilon  # the kernel returns the inverse standard deviation
        for moving, batch in ((layer.moving_mean, mean.detach()), (layer.moving_variance, variance)):
            moving.value.lerp_(batch, 1 - layer.momentum)
    return outputs.permute(0, 2, 3, 1)


def _has_slow_gradient(layer: keras.layers.DepthwiseConv2D) -> bool:
    """Check whether a layer is a plain strided convolution in bfloat16, without bias, activation or dilation."""
    plain = not layer.use_bias and layer.activation is keras.activations.linear and set(layer.dilation_rate) == {1}
    return plain and set(layer.strides) != {1} and layer.compute_dtype == "bfloat16"


def _convolve(layer: keras.layers.DepthwiseConv2D, inputs: Any) -> Any:
    """Compute the same as ``DepthwiseConv2D.call``, with the gradient of its input in float32."""
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


def warp(images: Any, matrices: Any) -> Any:
    """Resample square images by affine maps, bilinearly; pixels beyond the border are reflected.

    Under PyTorch, Keras' transform processes a batch image by image, with about a hundred small operations each: on an
    NVIDIA H200 they were half of a ResNet50's training step. PyTorch has one kernel for the whole batch.

    Args:
        images: ``[batch, side, side, channels]``, float32.
        matrices: ``[batch, 8]``, from output to input pixels, as ``keras.ops.image.affine_transform`` takes them.
    """
    if keras.backend.backend() != "torch":
        return keras.ops.image.affine_transform(images, matrices, interpolation="bilinear", fill_mode="reflect")
    import torch

    side = images.shape[1]
    linear, shift = matrices[:, :6].reshape(-1, 2, 3).split([2, 1], dim=2)
    # PyTorch's coordinates run from -1 to 1, from edge to edge
    shift = (linear.sum(dim=2, keepdim=True) * (side - 1) + 2 * shift + 1) / side - 1
    channels_first = images.permute(0, 3, 1, 2)
    grid = torch.nn.functional.affine_grid(
        torch.cat([linear, shift], dim=2), list(channels_first.shape), align_corners=False
    )
    warped = torch.nn.functional.grid_sample(
        channels_first, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return warped.permute(0, 2, 3, 1)


def convolve_in_groups(
    images: Any, kernel: Any, strides: tuple[int, int], padding: str, dilation: tuple[int, int]
) -> Any:
    """Convolve groups of channels separately, in the device's fastest way.

    Under TensorFlow, Keras passes such a convolution to XLA in a separate function, which converters to other formats
    do not support. On a CPU a training step of 8 maps of 12x12x128 in 32 groups took 0.9 s that way, and 4 ms with
    TensorFlow's own oneDNN kernel (one core of an AMD EPYC, by hand). JAX has no fast kernel on a CPU, and TensorFlow
    without oneDNN has no gradient: there the kernel is spread over all channels, with zeros between groups, which took
    9 ms.

    Args:
        images: ``[batch, height, width, channels]``.
        kernel: ``[height, width, channels of a group, outputs]``.
        strides: Along height and width.
        padding: ``valid`` or ``same``.
        dilation: Along height and width.
    """
    name = keras.backend.backend()
    if name == "tensorflow" and _tensorflow_learns_in_groups():
        import tensorflow as tf

        return tf.nn.conv2d(images, tf.convert_to_tensor(kernel), strides, padding.upper(), dilations=dilation)
    if name == "tensorflow" or (name == "jax" and not list_accelerators()):
        kernel = spread_kernel(kernel, images.shape[-1] // kernel.shape[2])
    return keras.ops.conv(images, kernel, strides, padding, "channels_last", dilation)


@cache
def _tensorflow_learns_in_groups() -> bool:
    """Check whether TensorFlow's own grouped convolution has a gradient on this device, by computing one."""
    import tensorflow as tf

    with tf.init_scope():  # computed eagerly, even while a graph is being traced
        maps = {"input": tf.ones((1, 2, 2, 2)), "out_backprop": tf.ones((1, 2, 2, 2))}
        try:
            tf.raw_ops.Conv2DBackpropFilter(**maps, filter_sizes=(1, 1, 1, 2), strides=[1] * 4, padding="VALID")
        except tf.errors.OpError:
            return False
    return True


def spread_kernel(kernel: Any, groups: int) -> Any:
    """Expand a grouped convolution's kernel to all channels: block-diagonal, with zeros elsewhere.

    Args:
        kernel: ``[height, width, channels of a group, outputs]``.
        groups: Number of groups.

    Returns:
        ``[height, width, channels, outputs]``.
    """
    channels, outputs = kernel.shape[2:]
    mask = np.kron(np.eye(groups), np.ones((channels, outputs // groups)))
    kernel = keras.ops.convert_to_tensor(kernel)
    return keras.ops.tile(kernel, (1, 1, groups, 1)) * keras.ops.convert_to_tensor(mask, kernel.dtype)
