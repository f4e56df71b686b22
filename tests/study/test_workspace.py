"""A unit's workspace has of the data what the unit reads, and what it writes there touches nothing of others."""

import json
import multiprocessing
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from leukoscope.core.errors import InputError
from leukoscope.core.session import WORKSPACE
from leukoscope.datasets import EvaluationsDataset
from leukoscope.datasets.optional import unwrap
from leukoscope.entries import describe_entries
from leukoscope.pipelines.study.nodes import _KEPT, list_nodes
from leukoscope.study import workspace as workspaces
from leukoscope.study.commands import StoppedError
from leukoscope.study.workspace import LINKED, LINKED_FILES, Workspace
from leukoscope.training.runs import TrainingRuns
from made_study import plan_made

(UNIT, OTHER) = plan_made(seeds=1, entries=("vgg16",)).units


def never() -> bool:
    return False


def test_trainings_last_and_all_else_goes(tmp_path):
    (tmp_path / "02_intermediate").mkdir()
    (tmp_path / "02_intermediate/manifest.parquet").write_text("all images")
    workspace = Workspace(tmp_path, UNIT)
    with workspace.open(never):
        assert (workspace.folder / "02_intermediate/manifest.parquet").read_text() == "all images"
        key = {"architecture": "tiny", "split": UNIT.split, "engine": {}}
        journal = TrainingRuns(workspace.home / "vgg16").start(key).journal
        (workspace.folder / "05_model_input").mkdir()
        (workspace.folder / "05_model_input/splits.parquet").touch()
    assert not workspace.folder.exists()
    assert (tmp_path / "06_models/vgg16" / UNIT.split / "runs" / journal.folder.name / "key.json").is_file()
    assert not (tmp_path / "06_models/vgg16/current").exists()
    assert not (tmp_path / "05_model_input").exists()
    assert (tmp_path / "02_intermediate/manifest.parquet").is_file()


def test_two_units_have_two_folders_and_one_has_one_at_a_time(tmp_path):
    first, same, other = (Workspace(tmp_path, unit) for unit in (UNIT, UNIT, OTHER))
    with first.open(never), other.open(never):
        assert first.folder != other.folder
        with pytest.raises(StoppedError), same.open(lambda: True):
            pass
        assert first.folder.is_dir()


def test_no_lock_stays_behind_and_who_waited_for_one_that_went_takes_the_next(tmp_path, monkeypatch):
    first, second, third = (Workspace(tmp_path, UNIT) for _ in range(3))
    entered = []
    with first.open(never):
        old = first._lock.open("w")  # as one has that waits
        assert not workspaces._is_at(old, tmp_path / "other")
        assert workspaces._is_at(old, first._lock)
    assert list(first.folder.parent.iterdir()) == []
    assert not workspaces._is_at(old, first._lock)
    acquire, waiting = Workspace._acquire, [old]

    def take_old_first(self, lock, is_to_stop):
        entered.append(lock)
        if waiting:  # the file that it waited for is removed by who had it, and another has the next one
            waiting.pop()
            self._lock.unlink()
            self._lock.touch()
        acquire(self, lock, is_to_stop)

    monkeypatch.setattr(Workspace, "_acquire", take_old_first)
    with second.open(never):
        assert len(entered) == 2
        with pytest.raises(StoppedError), third.open(lambda: True):
            pass
    assert list(first.folder.parent.iterdir()) == []
    old.close()


def test_a_unit_that_was_stopped_has_ended_no_worker(tmp_path):
    """Workers are closed in good order too: by a batch system at the end of their time, or when a cluster shrinks."""
    workspace = Workspace(tmp_path, UNIT)
    with workspace.open(never):
        workspace.note_start("study")  # of a worker that was killed
        with pytest.raises(StoppedError), workspace.counting("study"):
            raise StoppedError
        assert workspace.count_starts("study") == 1
        with workspace.counting("study"):
            pass
        assert workspace.count_starts("study") == 0
        with pytest.raises(StoppedError), workspace.counting("study"):
            raise StoppedError
    assert list(workspace.folder.parent.glob("*.starts")) == []


def test_what_a_killed_process_left_is_not_gone_on_with(tmp_path):
    workspace = Workspace(tmp_path, UNIT)
    workspace.folder.mkdir(parents=True)
    (workspace.folder / "splits.parquet").touch()
    with workspace.open(never):
        assert not (workspace.folder / "splits.parquet").exists()


def test_where_there_are_no_links_it_is_told_in_a_line(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError("not here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with (
        pytest.raises(InputError, match="needs a file system with symbolic links"),
        Workspace(tmp_path, UNIT).open(never),
    ):
        pass


def test_a_training_that_is_made_for_a_study_is_not_made_by_hand_meanwhile(tmp_path):
    workspace = Workspace(tmp_path, UNIT)
    key = {"architecture": "tiny", "split": UNIT.split, "engine": {}}
    with workspace.open(never):
        at_work = TrainingRuns(workspace.home / "vgg16").start(key).journal
        by_hand = TrainingRuns(tmp_path / "06_models/vgg16").start(key).journal
        with at_work.hold(), pytest.raises(InputError, match="Another run is at work"), by_hand.hold():
            pass
        with by_hand.hold():
            pass


def add_lines(folder: Path, number: int) -> None:
    """Add evaluations through a link of one's own, as a unit does."""
    link = folder / f"unit-{number}" / "evaluations.jsonl"
    link.parent.mkdir()
    link.symlink_to(folder / "evaluations.jsonl")
    for row in range(20):
        values = {"model_fingerprint": f"{number}-{row}", "test": "one", "model": "m", "unit": "x" * 5000}
        EvaluationsDataset(filepath=str(link)).save(values)


@pytest.mark.slow
def test_every_look_at_the_test_set_has_its_line_and_none_is_torn(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_lines, args=(tmp_path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    rows = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    assert {row["model_fingerprint"] for row in rows} == {f"{n}-{row}" for n in range(3) for row in range(20)}
    assert (tmp_path / "unit-1/evaluations.jsonl").is_symlink()


@pytest.fixture
def open_catalog(project_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    bootstrap_project(project_path)

    def open_(env, **parameters):
        with KedroSession.create(project_path, env=env, runtime_params=parameters) as session:
            return session.load_context().catalog

    return open_


def find_place(dataset) -> Path | None:
    place = getattr(unwrap(dataset), "_filepath", None) or getattr(dataset, "_path", None)
    return Path(str(place)) if place else None


@pytest.mark.parametrize("env", [None, "demo"])
def test_all_data_of_a_unit_is_in_its_workspace_in_every_environment(open_catalog, tmp_path, monkeypatch, env):
    monkeypatch.setenv(WORKSPACE, str(tmp_path / "own"))
    catalog = open_catalog(env)
    for name in ("splits", "manifest", "vgg16.model", "vgg16.metrics", "vgg16.evaluations"):
        assert find_place(catalog.get(name)).is_relative_to(tmp_path / "own"), name


@pytest.mark.slow
def test_what_units_read_is_linked_and_what_they_write_is_their_own(open_catalog, tmp_path, monkeypatch):
    monkeypatch.setenv(WORKSPACE, str(tmp_path / "own"))
    catalog = open_catalog("demo")
    entries = [name for name, entry in describe_entries().items() if not entry.members and not entry.teacher]
    assert len(entries) > 20
    for entry in entries:
        unit = pipelines[f"train_{entry}"].only_nodes(*list_nodes(entry, *_KEPT))
        for name in sorted(unit.datasets()):
            place = find_place(catalog.get(name))
            if place is None or not place.is_relative_to(tmp_path / "own"):
                continue
            within = place.relative_to(tmp_path / "own").as_posix()
            is_linked = within.startswith(LINKED) or within in LINKED_FILES
            shared = name in unit.inputs() or within.endswith("evaluations.jsonl")
            assert is_linked == shared, (entry, name, within)
