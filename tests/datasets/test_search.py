"""The data set of a search."""

import pytest
from kedro.io import DatasetError

from leukoscope.datasets import TrialLedgerDataset


def test_it_loads_a_ledger_also_where_nothing_was_trained_and_saves_nothing(tmp_path):
    dataset = TrialLedgerDataset(path=str(tmp_path / "a"), outputs=str(tmp_path / "b"), folder=str(tmp_path / "c"))
    ledger = dataset.load()
    assert dataset.exists()
    assert (ledger.home, ledger.outputs, ledger.folder) == (tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert str(tmp_path / "a") in str(dataset)
    with pytest.raises(DatasetError, match="marked one by one"):
        dataset.save("anything")
