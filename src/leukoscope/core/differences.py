"""Differences between nested facts."""

from typing import Any


def find_differences(before: Any, now: Any, where: str = "") -> list[str]:
    """List the innermost entries in which two nested dictionaries differ, like ``recipe.epochs``.

    Args:
        before: The earlier dictionary.
        now: The later dictionary.
        where: The prefix of the listed names.
    """
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [where] if before != now else []
    prefix = f"{where}." if where else ""
    return [
        path
        for name in sorted(before.keys() | now.keys())
        for path in find_differences(before.get(name), now.get(name), f"{prefix}{name}")
    ]
