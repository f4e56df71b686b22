"""Durations in words."""

_LONGEST_IN_SECONDS = 100


def say_duration(seconds: float) -> str:
    """Say roughly how long something takes, like ``40 s``, ``4 min`` or ``2.5 h``."""
    if seconds < _LONGEST_IN_SECONDS:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < _LONGEST_IN_SECONDS else f"{minutes / 60:.1f} h"
