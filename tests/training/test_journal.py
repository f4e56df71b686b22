from pathlib import Path

import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_read_from_json
from leukoscope.training.journal import TrainingJournal

KEY = {"architecture": "resnet50", "seed": 1, "classes": ("a", "b"), "recipe": {"epochs": 2, "dropout": 0.5}}


def append(journal, epoch, loss):
    text = f"epoch {epoch}"
    journal.keep(
        epoch,
        loss,
        lambda path: path.write_text(f"state of {text}"),
        lambda path: path.write_text(f"best is {text}"),
    )
    journal.append({"epoch": epoch, "validation_loss": loss})


@pytest.fixture
def journal(tmp_path) -> TrainingJournal:
    journal = TrainingJournal(tmp_path / "journal")
    journal.start(KEY)
    append(journal, 1, 0.4)
    append(journal, 2, 0.5)
    return journal


def names(journal):
    return sorted(file.name for file in journal.folder.iterdir())


def test_the_history_has_every_epoch(journal):
    assert journal.history()["validation_loss"].tolist() == [0.4, 0.5]
    assert (journal.epochs, journal.best_epoch) == (2, 1)


def test_numbers_come_back_to_the_last_bit(journal):
    append(journal, 3, 0.1 + 0.2)
    assert journal.history()["validation_loss"].iloc[-1] == 0.1 + 0.2


def test_the_last_state_and_the_best_weights_are_there_and_no_others(journal):
    assert journal.state.read_text() == "state of epoch 2"
    assert journal.best_weights.read_text() == "best is epoch 1"
    assert names(journal) == ["best-0001.npz", "history.csv", "key.json", "state-0002.npz"]


@pytest.mark.parametrize("moment", ["state", "best", "history"])
def test_an_epoch_that_was_not_kept_whole_does_not_count(journal, moment, monkeypatch):
    def die(path):
        path.write_text("half")
        raise OSError("disk full")

    if moment == "history":
        monkeypatch.setattr("pandas.DataFrame.to_csv", lambda self, path, **options: die(Path(path)))

    def keep():
        writers = (die if moment == name else lambda path: path.write_text("whole") for name in ("state", "best"))
        journal.keep(3, 0.1, *writers)
        journal.append({"epoch": 3, "validation_loss": 0.1})

    with pytest.raises(OSError, match="disk full"):
        keep()
    assert (journal.epochs, journal.best_epoch) == (2, 1)
    assert journal.state.read_text() == "state of epoch 2"
    assert journal.best_weights.read_text() == "best is epoch 1"
    assert not any("unfinished" in name for name in names(journal))
    monkeypatch.undo()
    append(journal, 3, 0.1)
    assert journal.best_weights.read_text() == "best is epoch 3"
    assert names(journal) == ["best-0003.npz", "history.csv", "key.json", "state-0003.npz"]


def test_a_finished_training_stays_and_needs_no_state(journal):
    journal.finish({"epochs": 2}, lambda path: path.write_text("final"))
    again = TrainingJournal(journal.folder)
    assert again.key == as_read_from_json(KEY)
    assert again.finished
    assert again.summary() == {"epochs": 2}
    assert again.epochs == 2
    assert names(again) == ["final.npz", "history.csv", "key.json", "summary.json"]


def test_a_journal_that_must_be_of_one_key_is_refused_with_another(journal):
    key = journal.key
    journal.start(KEY | {"seed": 2})
    with pytest.raises(InputError, match="Another run has started another training in"):
        _ = TrainingJournal(journal.folder, key).key


@pytest.mark.parametrize("content", ["", "{"])
def test_a_damaged_key_or_history_is_named(journal, content):
    (journal.folder / "key.json").write_text(content)
    with pytest.raises(InputError, match=r"key.json.*cannot be read.*Remove .*journal to train anew"):
        _ = journal.key
    (journal.folder / "history.csv").write_text("")
    with pytest.raises(InputError, match=r"history.csv.*cannot be read"):
        journal.history()


def test_the_best_weights_are_kept_before_the_state(journal):
    order = []
    writers = (lambda path, name=name: order.append(name) or path.touch() for name in ("state", "best"))
    journal.keep(3, 0.1, *writers)
    assert order == ["best", "state"]


def test_a_training_keeps_the_software_that_it_began_with(journal):
    journal.record_origin({"keras": "4"})
    assert journal.origin == {}  # it had begun before, with nobody knows what
    journal = TrainingJournal(journal.folder.with_name("another"))
    journal.start(KEY | {"seed": 2})
    journal.record_origin({"keras": "3"})
    append(journal, 1, 0.4)
    journal.record_origin({"keras": "4"})
    assert journal.origin == {"keras": "3"}


def test_a_journal_says_which_model_came_of_it(journal):
    assert journal.model is None
    journal.record_model("abc")
    assert TrainingJournal(journal.folder).model == "abc"
    for damage in ("", "[]"):
        (journal.folder / "model.json").write_text(damage)
        assert journal.model is None


def test_features_are_kept_in_the_folder_of_the_model(tmp_path):
    journal = TrainingJournal(tmp_path / "resnet50/holdout/runs/abc", home=tmp_path / "resnet50")
    assert journal.features == tmp_path / "resnet50/features"
