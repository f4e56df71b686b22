import sys
from types import SimpleNamespace

import pytest

from leukoscope.core import energy
from leukoscope.core.energy import Meter, find_counters

RAPL, NVML = "processors (RAPL)", "GPUs (NVML)"


@pytest.fixture(autouse=True)
def forget():
    find_counters.cache_clear()
    yield
    find_counters.cache_clear()


def make_rapl(root, name: str, microjoules: int, label: str):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in {"name": label, "energy_uj": microjoules, "max_energy_range_uj": 1_000_000_000}.items():
        (folder / file).write_text(f"{content}\n")
    return folder / "energy_uj"


def test_processors_and_memory_are_counted_and_their_parts_are_not(tmp_path):
    package = make_rapl(tmp_path, "intel-rapl:0", 500_000_000, "package-0")
    cores = make_rapl(tmp_path, "intel-rapl:0:0", 10_000_000, "core")
    memory = make_rapl(tmp_path, "intel-rapl:0:1", 990_000_000, "dram")
    whole = make_rapl(tmp_path, "intel-rapl:1", 0, "psys")
    meter = Meter(counters={RAPL: energy._find_rapl(tmp_path)})
    package.write_text("536000000\n")
    cores.write_text("999000000\n")
    whole.write_text("999000000\n")
    memory.write_text("26000000\n")  # it started anew
    used = meter.stop()
    assert used.energy_kwh == pytest.approx((36 + 36) / 3.6e6)
    assert used.source == "processors (RAPL) of the whole machine"
    assert used.describe()["cpu_seconds"] >= 0


def test_a_counter_that_starts_anew_twice_is_looked_at_in_between(tmp_path, monkeypatch):
    file = make_rapl(tmp_path, "intel-rapl:0", 100_000_000, "package-0")
    monkeypatch.setattr(energy, "_SECONDS_BETWEEN", -1)
    meter = Meter(counters={RAPL: energy._find_rapl(tmp_path)})
    for reading in (900, 500, 100):
        file.write_text(f"{reading}000000\n")
        meter.sample()
    assert meter.stop().energy_kwh == pytest.approx(2000 / 3.6e6)


def test_what_cannot_be_measured_is_not_guessed():
    used = Meter(counters={}).stop()
    assert (used.energy_kwh, used.source) == (None, "not measured: no counter of processors (RAPL) can be read")
    by_processors = Meter(on_gpu=True, counters={RAPL: []}).stop()
    assert (by_processors.energy_kwh, by_processors.source[:12]) == (None, "not measured")


def test_counters_that_only_root_may_read_are_none(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(energy, "_find_rapl", refuse)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_counters() == {}


def test_gpus_are_counted_by_nvml(monkeypatch):
    now = {0: 1000.0, 1: 2000.0}
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(now),
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: 1e3 * now[handle],
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(energy, "_find_rapl", list)
    meter = Meter(on_gpu=True)
    assert list(meter.counters) == [NVML]
    now.update({0: 4600.0, 1: 5600.0})
    used = meter.stop()
    assert used.energy_kwh == pytest.approx(7200 / 3.6e6)
    assert used.source == "GPUs (NVML) of the whole machine"


def test_a_counter_that_goes_away_stops_no_work(tmp_path):
    file = make_rapl(tmp_path, "intel-rapl:0", 1, "package-0")
    meter = Meter(counters={RAPL: energy._find_rapl(tmp_path)})
    file.unlink()
    used = meter.stop()
    assert used.energy_kwh is None
    assert "could be read no longer" in used.source
