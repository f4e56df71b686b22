"""The energy and processor time used by some work, read from the machine's own counters and never estimated."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_POWERCAP = Path("/sys/class/powercap")
_PROCESSORS = "processors (RAPL)"
_GPUS = "GPUs (NVML)"
_JOULES = 3.6e6  # in a kWh
# Processor counters wrap around after some minutes at full power, and must be read more often than that.
_SECONDS_BETWEEN = 30.0


class Counter(Protocol):
    """An energy counter."""

    def read(self) -> float:
        """Return the energy used so far, in joules."""
        ...

    @property
    def range(self) -> float | None:
        """The number of joules after which the counter wraps around; ``None`` if it never does."""
        ...


class Used(NamedTuple):
    """The energy and processor time that some work used.

    Attributes:
        cpu_seconds: Processor time of this process and of its ended child processes.
        energy_kwh: Energy of the whole machine, from the parts named in ``source``; ``None`` if not measured.
        source: What was measured, or why nothing was measured.
    """

    cpu_seconds: float
    energy_kwh: float | None
    source: str

    def describe(self) -> dict[str, Any]:
        """Return the usage for a summary."""
        return {"cpu_seconds": self.cpu_seconds, "energy_kwh": self.energy_kwh, "energy_source": self.source}


class _Rapl(NamedTuple):
    """A counter of a processor or its memory on Linux."""

    folder: Path

    def read(self) -> float:
        return int((self.folder / "energy_uj").read_text()) / 1e6

    @property
    def range(self) -> float | None:
        return int((self.folder / "max_energy_range_uj").read_text()) / 1e6


class _Nvml(NamedTuple):
    """A counter of an NVIDIA GPU, counting since the driver was loaded."""

    nvml: Any
    handle: Any

    def read(self) -> float:
        return self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle) / 1e3

    @property
    def range(self) -> float | None:
        return None


def _find_rapl(root: Path = _POWERCAP) -> list[Counter]:
    """Find the counters of all processors and their memory; a processor's counter includes its parts."""
    wanted = [file.parent for file in root.glob("intel-rapl:*/name") if _is_whole(file.read_text().strip())]
    counters: list[Counter] = [_Rapl(folder) for folder in wanted]
    for counter in counters:
        counter.read()  # fails on most machines unless run by root
    return counters


def _is_whole(name: str) -> bool:
    return name.startswith("package") or name == "dram"


def _find_nvml() -> list[Counter]:
    """Find the counters of all NVIDIA GPUs."""
    import pynvml

    pynvml.nvmlInit()
    handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    counters: list[Counter] = [_Nvml(pynvml, handle) for handle in handles]
    for counter in counters:
        counter.read()
    return counters


@cache
def find_counters() -> dict[str, list[Counter]]:
    """Find all counters that this process may read, by what they measure."""
    counters_by_part = {}
    with suppress(OSError, ValueError):
        counters_by_part[_PROCESSORS] = _find_rapl()
    with suppress(Exception):  # no package, no driver, or a GPU without a counter
        counters_by_part[_GPUS] = _find_nvml()
    return {name: counters for name, counters in counters_by_part.items() if counters}


@dataclass
class Meter:
    """Measures usage from its creation on.

    Args:
        on_gpu: Whether the work runs on a GPU; if so, energy is reported only if the GPU's counter can be read.
        counters: Counters by what they measure; by default all that can be read.
    """

    on_gpu: bool = False
    counters: Mapping[str, list[Counter]] = field(default_factory=find_counters)

    def __post_init__(self) -> None:
        self._cpu = _read_processor_time()
        self._joules = 0.0
        self._last = self._read()
        self._read_at = time.monotonic()

    def sample(self) -> None:
        """Read the counters if the last reading was long ago, so that none wraps around twice between readings."""
        if time.monotonic() - self._read_at > _SECONDS_BETWEEN:
            self._add()

    def stop(self) -> Used:
        """Return the usage so far; the meter goes on measuring."""
        needed = _GPUS if self.on_gpu else _PROCESSORS
        cpu_seconds = _read_processor_time() - self._cpu
        if needed not in self.counters:
            return Used(cpu_seconds, None, f"not measured: no counter of {needed} can be read")
        self._add()
        if needed not in self.counters:
            return Used(cpu_seconds, None, f"not measured: the counter of {needed} could be read no longer")
        return Used(cpu_seconds, self._joules / _JOULES, f"{' and '.join(self.counters)} of the whole machine")

    def _add(self) -> None:
        try:
            now = self._read()
        except Exception:  # a counter that disappears must not stop the work
            self.counters = {}
            now = []
            self._last = []
        for (counter, after), (_, before) in zip(now, self._last, strict=True):
            used = after - before
            self._joules += used if used >= 0 else used + (counter.range or 0.0)
        self._last = now
        self._read_at = time.monotonic()

    def _read(self) -> list[tuple[Counter, float]]:
        return [(counter, counter.read()) for counters in self.counters.values() for counter in counters]


def _read_processor_time() -> float:
    return sum(os.times()[:4])
