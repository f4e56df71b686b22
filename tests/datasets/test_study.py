import pytest
from kedro.io import DatasetError

from leukoscope.datasets import LedgerDataset


def test_a_ledger_is_there_before_anything_was_trained(tmp_path):
    dataset = LedgerDataset(path=str(tmp_path / "06_models"), logs=str(tmp_path / "logs"))
    assert dataset.exists()
    ledger = dataset.load()
    assert (ledger.home, ledger.logs) == (tmp_path / "06_models", tmp_path / "logs")


def test_units_are_marked_one_by_one(tmp_path):
    with pytest.raises(DatasetError, match="marked one by one"):
        LedgerDataset(path=str(tmp_path), logs=str(tmp_path)).save({})
