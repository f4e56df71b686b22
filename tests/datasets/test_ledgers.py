"""The data sets of studies and searches."""

import pytest
from kedro.io import DatasetError

from leukoscope.datasets import LedgerDataset, TrialLedgerDataset


def make_both(root) -> list:
    studies = LedgerDataset(path=str(root / "06_models"), logs=str(root / "logs"))
    searches = TrialLedgerDataset(path=str(root / "06_models"), outputs=str(root / "07"), folder=str(root / "search"))
    return [studies, searches]


def test_a_ledger_is_there_before_anything_was_trained(tmp_path):
    studies, searches = make_both(tmp_path)
    assert studies.exists()
    assert searches.exists()
    units, trials = studies.load(), searches.load()
    assert (units.home, units.logs) == (tmp_path / "06_models", tmp_path / "logs")
    assert (trials.home, trials.outputs, trials.folder) == (units.home, tmp_path / "07", tmp_path / "search")


def test_trainings_are_marked_one_by_one(tmp_path):
    for dataset in make_both(tmp_path):
        assert str(tmp_path / "06_models") in str(dataset)
        with pytest.raises(DatasetError, match="marked one by one"):
            dataset.save({})
