from pathlib import Path

import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_read_from_json
from leukoscope.training.journal import TrainingJournal

KEY = {"backbone": "resnet50", "seed": 1, "classes": ("a", "b"), "recipe": {"epochs": 2, "dropout": 0.5}}


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
    assert again.start(KEY) == []
    assert again.finished
    assert again.summary() == {"epochs": 2}
    assert again.epochs == 2
    assert names(again) == ["final.npz", "history.csv", "key.json", "summary.json"]


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


def test_no_training_goes_on_with_another_engine_and_a_finished_one_stays(journal):
    key = KEY | {"engine": {"backend": "tensorflow", "precision": "float32"}}
    other = KEY | {"engine": {"backend": "jax", "precision": "float32"}}
    assert journal.start(key) == ["engine"]
    append(journal, 1, 0.4)
    assert journal.start(other) == ["engine.backend"]
    assert journal.epochs == 0
    append(journal, 1, 0.4)
    journal.finish({"epochs": 1}, lambda path: path.write_text("final"))
    assert journal.start(key) == []
    assert journal.finished
    assert journal.key["engine"] == other["engine"]
    assert journal.start(key | {"seed": 2}) == ["seed"]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_another_key_deletes_nothing_that_was_trained(journal):
    before = content(journal.folder)
    journal.start(KEY | {"seed": 2})
    (aside,) = journal.folder.parent.glob("journal-*")
    assert aside == journal.kept_at
    assert content(aside) == before
    assert len(aside.name) == len("journal-") + 12


def test_a_training_whose_key_comes_back_comes_back(journal):
    journal.finish({"epochs": 2}, lambda path: path.write_text("final"))
    finished = content(journal.folder)
    journal.start(KEY | {"seed": 2})
    append(journal, 1, 0.3)
    unfinished = content(journal.folder)
    for seed, expected in ((1, finished), (2, unfinished), (1, finished)):
        again = TrainingJournal(journal.folder)
        assert again.start(KEY | {"seed": seed}) == ["seed"]
        assert content(again.folder) == expected
        assert again.came_from == again.folder.with_name(again.came_from.name)
        assert again.kept_at.is_dir()
        assert len(list(journal.folder.parent.iterdir())) == 2


def test_a_training_killed_while_it_makes_room_loses_nothing(journal, monkeypatch):
    before, rename = content(journal.folder), Path.rename

    def rename_and_die(path, to):
        rename(path, to)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", rename_and_die)
    with pytest.raises(KeyboardInterrupt):
        journal.start(KEY | {"seed": 2})
    monkeypatch.undo()
    assert TrainingJournal(journal.folder).start(KEY) == []
    assert content(journal.folder) == before
    assert list(journal.folder.parent.iterdir()) == [journal.folder]


def test_what_was_finished_with_another_engine_comes_back_where_nothing_of_the_same_engine_is(journal):
    keys = {name: KEY | {"engine": {"backend": name}} for name in ("tensorflow", "jax", "torch")}
    journal.start(keys["jax"])
    append(journal, 1, 0.4)
    journal.finish({"epochs": 1}, lambda path: path.write_text("of jax"))
    journal.start(KEY | {"seed": 2})
    journal.start(keys["torch"])
    assert journal.final_weights.read_text() == "of jax"
    assert journal.key == as_read_from_json(keys["jax"])


def test_damaged_trainings_that_were_put_aside_stay_aside(journal):
    journal.start(KEY | {"seed": 2})
    (journal.kept_at / "key.json").write_text("{")
    damaged = journal.kept_at
    journal.start(KEY)
    assert journal.epochs == 0
    append(journal, 1, 0.4)
    journal.start(KEY | {"seed": 2})
    assert damaged.is_dir()
    assert journal.kept_at == damaged.with_name(f"{damaged.name}-2")


def test_a_journal_that_must_be_of_one_key_is_refused_with_another(journal):
    key = journal.key
    journal.start(KEY | {"seed": 2})
    with pytest.raises(InputError, match="Another run has started another training in"):
        _ = TrainingJournal(journal.folder, key).key


@pytest.mark.parametrize("content", ["", "{"])
def test_a_damaged_key_or_history_is_named(journal, content):
    (journal.folder / "key.json").write_text(content)
    with pytest.raises(InputError, match=r"key.json.*cannot be read.*Remove .*journal to train anew"):
        journal.start(KEY)
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
    journal.start(KEY | {"seed": 2})
    journal.record_origin({"keras": "3"})
    append(journal, 1, 0.4)
    journal.record_origin({"keras": "4"})
    assert journal.origin == {"keras": "3"}
