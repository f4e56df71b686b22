"""Training on several devices at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from leukoscope.core.errors import InputError


@contextmanager
def distribution(wanted: bool, batch_size: int) -> Iterator[None]:
    """Distribute the training of models built in this context over all devices, each with a share of every batch.

    Args:
        wanted: Whether to distribute; otherwise nothing changes.
        batch_size: Images in a batch.

    Raises:
        InputError: The backend does not support it, or the batch cannot be divided equally.
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
