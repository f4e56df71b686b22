"""Trainings of one model side by side: what is found again, what starts afresh, and what a kill leaves."""

import json
import re

import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_read_from_json
from leukoscope.training import runs as module
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.pointer import read_pointer
from leukoscope.training.runs import TrainingRuns, identify_run

KEY = {"architecture": "resnet50", "seed": 1, "classes": ("a", "b"), "recipe": {"epochs": 2, "dropout": 0.5}}
KEY |= {"engine": {"backend": "tensorflow", "precision": "float32"}, "split": "holdout", "format": 1}
OTHER_ENGINE = {"engine": {"backend": "jax", "precision": "float32"}}


def append(journal, epoch, loss):
    writers = [lambda path, name=name: path.write_text(f"{name} of epoch {epoch}") for name in ("state", "best")]
    journal.keep(epoch, loss, *writers)
    journal.append({"epoch": epoch, "validation_loss": loss})


def finish(journal, text="final"):
    journal.finish({"epochs": journal.epochs}, lambda path: path.write_text(text))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def runs(tmp_path) -> TrainingRuns:
    return TrainingRuns(tmp_path / "resnet50")


@pytest.fixture
def journal(runs) -> TrainingJournal:
    """A training that was started and had two epochs."""
    journal = runs.start(KEY).journal
    append(journal, 1, 0.4)
    append(journal, 2, 0.5)
    return journal


def list_folders(runs) -> list[str]:
    return sorted(path.relative_to(runs.home).as_posix() for path in runs.home.glob("*/runs/*"))


def test_a_training_has_a_folder_by_its_split_and_the_hash_of_what_determines_it(runs):
    started = runs.start(KEY)
    assert (started.is_new, started.before, started.changes) == (True, None, [])
    assert re.fullmatch(r"holdout/runs/[0-9a-f]{12}", list_folders(runs)[0])
    assert read_pointer(runs.home) == started.journal.folder == runs.home / list_folders(runs)[0]
    assert (runs.home / "current").read_text() == f"{list_folders(runs)[0]}\n"
    folds = [runs.start(KEY | {"split": f"fold-{number}-of-2"}).journal.folder for number in (1, 2)]
    assert list_folders(runs)[:2] == [f"fold-{number}-of-2/runs/{started.journal.folder.name}" for number in (1, 2)]
    assert read_pointer(runs.home) == folds[1]


def test_neither_engine_nor_the_name_of_the_split_is_in_the_hash():
    assert identify_run(KEY) == identify_run(KEY | OTHER_ENGINE | {"split": "fold-1-of-2"})
    for name in set(KEY) - {"engine", "split"}:
        assert identify_run(KEY | {name: "another"}) != identify_run(KEY)


@pytest.mark.parametrize("finished", [True, False])
def test_the_same_key_finds_its_training(runs, journal, finished):
    if finished:
        finish(journal)
    before = content(journal.folder)
    started = TrainingRuns(runs.home).start(KEY)
    assert (started.is_new, started.before, started.changes) == (False, None, [])
    assert started.journal.folder == journal.folder
    assert content(journal.folder) == before
    assert started.journal.epochs == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, ["seed"]),
        ({"recipe": {"epochs": 3, "dropout": 0.5}}, ["recipe.epochs"]),
        ({"recipe": {"epochs": 2, "dropout": 0.4}, "more": 1}, ["more", "recipe.dropout"]),
        ({"split": "fold-1-of-3", "data": "of the fold"}, ["data", "split"]),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_key_starts_afresh_beside_and_says_what_changed(runs, journal, change, told, finished):
    if finished:
        finish(journal)
    before = content(journal.folder)
    started = runs.start(KEY | change)
    assert (started.is_new, started.changes, started.before) == (True, told, journal.folder)
    assert not started.journal.finished
    assert started.journal.epochs == 0
    assert list(content(started.journal.folder)) == ["key.json"]
    assert content(journal.folder) == before
    assert len(list_folders(runs)) == 2


def test_two_recipes_and_then_the_first_again(runs, journal):
    finish(journal)
    finished = content(journal.folder)
    second = runs.start(KEY | {"seed": 2}).journal
    append(second, 1, 0.3)
    unfinished = content(second.folder)
    for seed, expected in ((1, finished), (2, unfinished), (1, finished)):
        started = TrainingRuns(runs.home).start(KEY | {"seed": seed})
        assert (started.is_new, started.changes) == (False, ["seed"])
        assert content(started.journal.folder) == expected
        assert read_pointer(runs.home) == started.journal.folder
        assert len(list_folders(runs)) == 2


def test_no_training_goes_on_with_another_engine_and_a_finished_one_counts(runs, journal):
    second = runs.start(KEY | OTHER_ENGINE)
    assert (second.is_new, second.changes) == (True, ["engine.backend"])
    assert second.journal.folder == journal.folder.with_name(f"{journal.folder.name}-2")
    append(second.journal, 1, 0.4)
    finish(second.journal, "of jax")
    back = runs.start(KEY)  # its own engine's, which is not finished, before another's
    assert (back.journal.folder, back.changes) == (journal.folder, [])
    third = runs.start(KEY | {"engine": {"backend": "torch", "precision": "float32"}})
    assert not third.is_new
    assert third.journal.final_weights.read_text() == "of jax"
    assert third.journal.key == as_read_from_json(KEY | OTHER_ENGINE)
    assert len(list_folders(runs)) == 2


@pytest.mark.parametrize("moment", ["in the key", "before the pointer"])
def test_a_start_that_was_killed_is_gone_on_with(runs, journal, monkeypatch, moment):
    before = content(journal.folder)

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((TrainingJournal, "start") if moment == "in the key" else (module, "write_pointer")), die)
        if moment == "in the key":
            killed = runs._place(KEY) / identify_run(KEY | {"seed": 2})
            killed.mkdir()
            (killed / "unfinished-key.json").write_text("{")
        with pytest.raises(KeyboardInterrupt):
            runs.start(KEY | {"seed": 2})
    assert read_pointer(runs.home) == journal.folder
    assert content(journal.folder) == before
    started = TrainingRuns(runs.home).start(KEY | {"seed": 2})
    assert started.is_new == (moment == "in the key")
    assert started.journal.folder.name == identify_run(KEY | {"seed": 2})
    assert read_pointer(runs.home) == started.journal.folder
    assert len(list_folders(runs)) == 2


def test_a_folder_with_a_training_but_no_key_stays_as_it_is(runs, journal):
    (journal.folder / "key.json").unlink()
    before = content(journal.folder)
    started = runs.start(KEY)
    assert started.journal.folder.name == f"{journal.folder.name}-2"
    assert content(journal.folder) == before


@pytest.mark.parametrize("damage", ["", "{", "[1]"])
def test_a_training_whose_key_is_damaged_says_what_to_remove_and_hinders_no_other(runs, journal, damage):
    (journal.folder / "key.json").write_text(damage)
    with pytest.raises(InputError, match=r"key.json.*cannot be read.*Remove .*/[0-9a-f]{12} to train anew"):
        runs.start(KEY)
    started = runs.start(KEY | {"seed": 2})
    assert (started.is_new, started.before) == (True, None)


def test_what_other_code_trained_in_an_earlier_version_does_not_count(runs):
    earlier = make_earlier(runs, "journal", KEY)
    key = json.loads((earlier.folder / "key.json").read_text())
    (earlier.folder / "key.json").write_text(json.dumps(key | {"code": "0123456789abcdef"}))
    started = runs.start(KEY)
    assert (started.is_new, started.changes) == (True, ["format"])
    assert earlier.folder.is_dir()


def make_earlier(runs, name: str, key: dict, finished: bool = True) -> TrainingJournal:
    """Make a training as an earlier version kept it, with a hash of the source and the name of a backbone."""
    old = {name: value for name, value in key.items() if name not in ("format", "split", "architecture")}
    earlier = TrainingJournal(runs.home / name)
    earlier.start(old | {"code": "4dd624662d2b63ca", "backbone": key["architecture"]})
    append(earlier, 1, 0.4)
    if finished:
        finish(earlier, f"of {name}")
    return earlier


def test_what_an_earlier_version_kept_beside_each_other_is_adopted(runs):
    keys = {"journal": KEY, "journal-0123456789ab": KEY | {"seed": 2}, "journal-cdef": KEY | {"seed": 3}}
    kept = {name: content(make_earlier(runs, name, key).folder) for name, key in keys.items()}
    started = runs.start(keys["journal-0123456789ab"] | {"split": "fold-1-of-2"})
    assert (started.is_new, started.changes, started.before) == (False, ["seed"], runs.home / "journal")
    assert started.adopted == runs.home / "journal-0123456789ab"
    assert content(started.journal.folder) == kept["journal-0123456789ab"]
    assert started.journal.folder == runs.home / f"fold-1-of-2/runs/{identify_run(KEY | {'seed': 2})}"
    started = runs.start(KEY)
    assert (started.is_new, started.adopted) == (False, runs.home / "journal")
    assert content(started.journal.folder) == kept["journal"]
    assert sorted(path.name for path in runs.home.iterdir()) == ["current", "fold-1-of-2", "holdout", "journal-cdef"]
    assert content(runs.home / "journal-cdef") == kept["journal-cdef"]


def test_the_training_at_work_of_an_earlier_version_goes_on_as_if_nothing_had_been(runs):
    make_earlier(runs, "journal", KEY, finished=False)
    started = runs.start(KEY)
    assert (started.is_new, started.changes, started.before) == (False, [], None)
    assert started.journal.epochs == 1


def test_damaged_trainings_of_an_earlier_version_stay_where_they_are(runs):
    for name in ("journal", "journal-abc"):
        make_earlier(runs, name, KEY)
        (runs.home / name / "key.json").write_text("{")
    assert runs.start(KEY).is_new
    assert {path.name for path in runs.home.iterdir()} == {"current", "holdout", "journal", "journal-abc"}


def test_an_adoption_that_was_killed_is_finished(runs, monkeypatch):
    make_earlier(runs, "journal", KEY)
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_pointer", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            runs.start(KEY)
    started = runs.start(KEY)
    assert not started.is_new
    assert started.journal.finished


@pytest.mark.parametrize("text", ["", "holdout", "../../elsewhere/runs/abc", "/etc/runs/passwd", "holdout/runs/a\nb"])
def test_a_damaged_pointer_is_told_and_written_anew(runs, journal, text):
    (runs.home / "current").write_text(text)
    with pytest.raises(InputError, match=r"current, which names the training at work, cannot be read: .*Remove it"):
        runs.find_current()
    assert not runs.start(KEY).is_new
    assert runs.find_current().folder == journal.folder


def test_a_folder_in_place_of_the_key_is_told(runs, journal):
    (journal.folder / "key.json").unlink()
    (journal.folder / "key.json").mkdir()
    with pytest.raises(InputError, match=r"key.json.*cannot be read: a folder is in its place"):
        _ = runs.find_current().key


def test_a_training_that_somebody_removed_starts_afresh(runs, journal):
    for path in journal.folder.iterdir():
        path.unlink()
    journal.folder.rmdir()
    assert runs.find_current() is None
    started = runs.start(KEY)
    assert (started.is_new, started.journal.folder) == (True, journal.folder)


def test_the_training_of_a_model_is_found(runs, journal):
    assert runs.find_model("abc") is None
    journal.record_model("abc")
    second = runs.start(KEY | {"seed": 2}).journal
    assert runs.find_model("abc").folder == journal.folder
    second.record_model("abc")
    assert runs.find_model("abc").folder == second.folder
    runs.start(KEY)
    assert runs.find_model("abc").folder == journal.folder


def test_the_key_is_kept_as_it_was_given(runs, journal):
    assert json.loads((journal.folder / "key.json").read_text()) == as_read_from_json(KEY)
