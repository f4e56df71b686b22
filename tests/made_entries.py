"""Model entries as a configuration would have them."""

from typing import Any

from leukoscope.training.options import NetworkOptions


def make_entry(name: str, **fields: Any) -> NetworkOptions:
    """Make the entry of an architecture that is called as the architecture is."""
    return NetworkOptions(**{"name": name, "kind": "network", "architecture": name} | fields)
