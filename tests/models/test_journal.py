from pathlib import Path

import pytest

from leukoscope.models.journal import TrainingJournal

KEY = {"backbone": "resnet50", "seed": 1, "classes": ("a", "b"), "recipe": {"epochs": 2, "dropout": 0.5}}


def append(journal, epoch, loss):
    text = f"epoch {epoch}"
    journal.append(
        {"epoch": epoch, "validation_loss": loss},
        lambda path: path.write_text(f"state of {text}"),
        lambda path: path.write_text(f"best is {text}"),
    )


@pytest.fixture
def journal(tmp_path) -> TrainingJournal:
    journal = TrainingJournal(tmp_path / "journal")
    assert journal.start(KEY) == []
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
    assert names(journal) == ["best-0001.weights.h5", "history.csv", "key.json", "state-0002.weights.h5"]


@pytest.mark.parametrize("moment", ["state", "best", "history"])
def test_an_epoch_that_was_not_kept_whole_does_not_count(journal, moment, monkeypatch):
    def die(path):
        path.write_text("half")
        raise OSError("disk full")

    if moment == "history":
        monkeypatch.setattr("pandas.DataFrame.to_csv", lambda self, path, **options: die(Path(path)))
    write = lambda path: path.write_text("whole")  # noqa: E731
    with pytest.raises(OSError, match="disk full"):
        journal.append(
            {"epoch": 3, "validation_loss": 0.1},
            die if moment == "state" else write,
            die if moment == "best" else write,
        )
    assert (journal.epochs, journal.best_epoch) == (2, 1)
    assert journal.state.read_text() == "state of epoch 2"
    assert journal.best_weights.read_text() == "best is epoch 1"
    assert not any("unfinished" in name for name in names(journal))
    monkeypatch.undo()
    append(journal, 3, 0.1)
    assert journal.best_weights.read_text() == "best is epoch 3"
    assert names(journal) == ["best-0003.weights.h5", "history.csv", "key.json", "state-0003.weights.h5"]


def test_a_finished_training_stays_and_needs_no_state(journal):
    journal.finish({"epochs": 2}, lambda path: path.write_text("final"))
    again = TrainingJournal(journal.folder)
    assert again.start(KEY) == []
    assert again.finished
    assert again.summary() == {"epochs": 2}
    assert again.epochs == 2
    assert names(again) == ["final.weights.h5", "history.csv", "key.json", "summary.json"]


def test_an_unfinished_training_stays(journal):
    assert TrainingJournal(journal.folder).start(KEY) == []
    assert journal.epochs == 2
    assert journal.state.is_file()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, ["seed"]),
        ({"recipe": {"epochs": 3, "dropout": 0.5}}, ["recipe.epochs"]),
        ({"recipe": {"epochs": 2, "dropout": 0.4}, "more": 1}, ["more", "recipe.dropout"]),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_key_starts_afresh_and_says_what_changed(journal, change, told, finished):
    if finished:
        journal.finish({}, Path.touch)
    again = TrainingJournal(journal.folder)
    assert again.start(KEY | change) == told
    assert not again.finished
    assert again.epochs == 0
    assert names(again) == ["key.json"]


def test_a_training_keeps_the_software_that_it_began_with(journal):
    journal.record_origin({"keras": "4"})
    assert journal.origin == {}  # it had begun before, with nobody knows what
    journal.start(KEY | {"seed": 2})
    journal.record_origin({"keras": "3"})
    append(journal, 1, 0.4)
    journal.record_origin({"keras": "4"})
    assert journal.origin == {"keras": "3"}
