"""What tells how long an epoch takes, for both sides of a comparison: nothing here needs the project."""

import time
from collections.abc import Callable


class Seconds(float):
    """What a call answers that has timed itself, since not all of it counts."""


def time_epochs(model, batches, epochs: int = 1, note: Callable[[Seconds], None] = lambda seconds: None) -> Seconds:
    """Train some epochs by ``fit``, and time each from its beginning to its last step.

    Args:
        model: A compiled one.
        batches: Those of an epoch, in the order in which it sees them.
        epochs: How many.
        note: Is told the seconds of each.

    Returns:
        The seconds of the last.
    """
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None) -> None:
            self.seconds = Seconds(time.perf_counter() - self.started)
            note(self.seconds)

    clock = Clock()
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[clock])
    return clock.seconds
