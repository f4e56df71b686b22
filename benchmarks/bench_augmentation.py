"""What each change of the augmentation costs, beside the affine map alone.

    python benchmarks/bench_augmentation.py [SIDE] [BATCH]

Prints, for drawn batches of 96 pixels a side by default, the best of twenty runs in milliseconds, and in parts of the
affine map alone. Takes seconds.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from leukoscope.synthetic import CLASSES, draw_smear
from leukoscope.training.augmentation import build_augmentation

GEOMETRY = {"rotation": 45.0, "zoom": 0.1, "shift": 0.1, "vertical_flip": True}
CHANGES = {
    "affine map": {},
    "and stain": {"stain": 0.5, "brightness": 0.2, "grey": 0.4},
    "and blur": {"blur": 1.5},
    "and noise": {"noise": 10.0},
    "and compression": {"compression": 40},
    "and all": {"stain": 0.5, "brightness": 0.2, "grey": 0.4, "blur": 1.5, "noise": 10.0, "compression": 40},
}
RUNS = 20


def compile_change(layers: keras.Sequential) -> Callable[[Any], Any]:
    """Compile the layers as training does, as one graph of the backend, if that has one."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda images: layers(images, training=True))
    if keras.backend.backend() == "jax":
        import jax

        state = [variable.value for variable in layers.non_trainable_variables]
        jitted = jax.jit(lambda images: layers.stateless_call([], state, images, training=True)[0])
        return lambda images: jitted(images).block_until_ready()
    return lambda images: layers(images, training=True)


def measure(images: Any, changes: dict[str, float]) -> float:
    """Give the best of many runs, in milliseconds."""
    layers = build_augmentation(1, **GEOMETRY, **changes)
    layers.build(images.shape)
    change = compile_change(layers)
    times = []
    for _ in range(RUNS + 2):  # the first ones compile
        start = time.perf_counter()
        keras.ops.convert_to_numpy(change(images))
        times.append(1000 * (time.perf_counter() - start))
    return min(times[2:])


def main(side: int = 96, batch: int = 32) -> None:
    """Print a line a change."""
    drawn = [draw_smear(CLASSES[n % len(CLASSES)], np.random.default_rng(n), side) for n in range(batch)]
    images = keras.ops.convert_to_tensor(np.stack(drawn).astype("float32"))
    print(f"{keras.backend.backend()}, {batch} images of {side} pixels a side")
    alone = measure(images, {})
    for name, changes in CHANGES.items():
        took = measure(images, changes)
        print(f"{name:16}  {took:7.1f} ms  {took / alone:5.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
