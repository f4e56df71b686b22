"""Durations in words."""

_LONGEST_IN_SECONDS = 100


def say_duration(seconds: float) -> str:
    """Say roughly how long something takes, like ``40 s``, ``4 min`` or ``2.5 h``."""
    if seconds < _LONGEST_IN_SECONDS:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < _LONGEST_IN_SECONDS else f"{minutes / 60:.1f} h"


def say_time_left(epoch: int, epochs: int, seconds: float) -> str:
    """Say how long a training will take yet, like ``about 4 min left``; empty where it is at its end.

    Args:
        epoch: How many epochs are finished. The first one has built the graphs too: the others are shorter.
        epochs: How many there are at the most.
        seconds: How long the last one took.
    """
    left = say_duration((epochs - epoch) * seconds)
    return f"{'at most' if epoch == 1 else 'about'} {left} left" if epoch < epochs else ""
