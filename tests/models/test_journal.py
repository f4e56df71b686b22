import pandas as pd
import pytest

from leukoscope.models.journal import TrainingJournal

KEY = {"backbone": "resnet50", "seed": 1, "classes": ("a", "b")}


@pytest.fixture
def journal(tmp_path) -> TrainingJournal:
    journal = TrainingJournal.start(tmp_path / "journal", KEY)
    journal.append({"epoch": 1, "train_loss": 0.5})
    journal.append({"epoch": 2, "train_loss": 0.4})
    return journal


def test_the_history_has_every_epoch(journal):
    assert journal.history()["train_loss"].tolist() == [0.5, 0.4]


def test_a_finished_training_stays(journal):
    journal.finish({"epochs": 2})
    again = TrainingJournal.start(journal.folder, KEY)
    assert again.finished
    assert again.summary() == {"epochs": 2}
    assert len(again.history()) == 2


@pytest.mark.parametrize("change", [{"seed": 2}, {"epochs": 3}])
def test_another_key_starts_afresh(journal, change):
    journal.finish({})
    again = TrainingJournal.start(journal.folder, KEY | change)
    assert not again.finished
    assert again.history().equals(pd.DataFrame())
    assert again.key["seed"] == (KEY | change)["seed"]


def test_an_unfinished_training_starts_afresh(journal):
    assert TrainingJournal.start(journal.folder, KEY).history().empty


def test_a_file_appears_whole_or_not_at_all(journal):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        journal.write("history.csv", fail)
    assert len(journal.history()) == 2
