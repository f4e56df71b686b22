import pandas as pd
import pytest

from leukoscope.core import energy
from leukoscope.training.cost import summarise_use


@pytest.fixture
def measured(monkeypatch):
    """A machine with a counter of processors."""
    monkeypatch.setattr(energy.Meter, "stop", lambda meter: energy.Used(0.0, 0.0, "processors (RAPL)"))


def test_all_epochs_count_whichever_process_they_were_in(measured):
    history = pd.DataFrame({"cpu_seconds": [1.0, 2.5], "energy_kwh": [0.001, 0.002]})
    assert summarise_use(history) == {
        "cpu_seconds": 3.5,
        "energy_kwh": pytest.approx(0.003),
        "energy_source": "processors (RAPL)",
    }


def test_where_an_epoch_was_not_measured_the_training_was_not(measured):
    history = pd.DataFrame({"cpu_seconds": [1.0, 2.5], "energy_kwh": [None, 0.002]})
    assert summarise_use(history)["energy_kwh"] is None
    assert summarise_use(history)["energy_source"] == "not measured: some epochs were trained without counters"
    assert summarise_use(pd.DataFrame({"seconds": [1.0]}))["cpu_seconds"] is None
