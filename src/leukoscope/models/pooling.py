"""Pooling as Caffe and PyTorch count its windows, which is not as Keras does."""

import keras
from keras import layers


def pad_and_convolve(maps: keras.KerasTensor, convolution: layers.Conv2D, padding: int) -> keras.KerasTensor:
    """Convolve with zeros on all four sides, of which Keras' ``same`` leaves out some where the stride is 2.

    Args:
        maps: ``[batch, height, width, channels]``.
        convolution: Of padding ``valid``.
        padding: How many zeros on each side.
    """
    return convolution(layers.ZeroPadding2D(padding, name=f"{convolution.name}_pad")(maps))


def pool_to_the_end(maps: keras.KerasTensor, name: str, size: int = 3) -> keras.KerasTensor:
    """Take the highest of each window, with a stride of 2, so that no pixel at the end is left out.

    The last window may reach beyond the end, as in Caffe, and in PyTorch with ``ceil_mode``.

    Args:
        maps: ``[batch, height, width, channels]``, nowhere negative; height and width are known.
        name: Of the pooling.
        size: Side of the windows.
    """
    missing = [size - side if side < size else (size - side) % 2 for side in maps.shape[1:3]]
    if any(missing):  # zeros are never higher than what is there
        maps = layers.ZeroPadding2D([(0, number) for number in missing], name=f"{name}_pad")(maps)
    return layers.MaxPooling2D(size, strides=2, name=name)(maps)
