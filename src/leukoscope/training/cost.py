"""The cost of a training over all its epochs, whichever processes ran them."""

from typing import Any

import pandas as pd

from leukoscope.backend import device
from leukoscope.core.energy import Meter


def summarise_use(history: pd.DataFrame) -> dict[str, Any]:
    """Sum up processor time and energy.

    Args:
        history: One row per epoch; epochs of an earlier version, or of a machine without counters, have no energy.

    Returns:
        ``cpu_seconds`` and ``energy_kwh``, ``None`` if an epoch lacks them, and ``energy_source``: what was measured.
    """
    used = {name: _add_up(history, name) for name in ("cpu_seconds", "energy_kwh")}
    source = Meter(bool(device.list_accelerators())).stop().source
    if used["energy_kwh"] is None and not source.startswith("not measured"):
        source = "not measured: some epochs were trained without counters"
    return used | {"energy_source": source}


def _add_up(history: pd.DataFrame, name: str) -> float | None:
    if name not in history or history[name].isna().any():
        return None
    return float(history[name].sum())
