"""Durations in words."""

_LONGEST_IN_SECONDS = 100


def say_duration(seconds: float) -> str:
    """Format a duration roughly, like ``40 s``, ``4 min`` or ``2.5 h``."""
    if seconds < _LONGEST_IN_SECONDS:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < _LONGEST_IN_SECONDS else f"{minutes / 60:.1f} h"


def say_time_left(epoch: int, epochs: int, seconds: float) -> str:
    """Estimate the remaining time of a training, like ``about 4 min left``; empty after the last epoch.

    Args:
        epoch: Number of finished epochs. The first one also builds the graphs, so later ones are shorter.
        epochs: Largest number of epochs.
        seconds: Duration of the last epoch.
    """
    left = say_duration((epochs - epoch) * seconds)
    return f"{'at most' if epoch == 1 else 'about'} {left} left" if epoch < epochs else ""
