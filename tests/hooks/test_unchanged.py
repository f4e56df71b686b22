"""A command whose inputs, parameters, code and results are as they were is not run again; any other is."""

import os
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from leukoscope.core.errors import InputError
from leukoscope.datasets import (
    EvaluationsDataset,
    GroupTableDataset,
    JSONDataset,
    OptionalDataset,
    PackedImagesDataset,
    PartitionedDataset,
    RawImagesDataset,
    ReaderRegistryDataset,
)
from leukoscope.hooks import UnchangedHook, state
from leukoscope.hooks.unchanged import NothingChanged, ending_if_unchanged


class Place:
    """A project with a pipeline of one node, run under the hook, and a stand-in for MLflow."""

    def __init__(self, root: Path) -> None:
        self.root, self.runs = root, {"run-1": {"artifacts": [("table.csv", 7)]}}
        self.last_runs, self.last_page = list(self.runs), "#/here"
        for name in ("raw/Benign/a.jpg", "package/code.py", "package/page.html", "given.json", "weights.h5"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("{}")
        weights = {"training": {"weights": str(root / "weights.h5")}}
        self.settings = {"parameters": {"seed": 1} | weights, "catalog": {}, "mlflow": {}, "globals": {"data": "data"}}
        self.params = {"run_id": "a time", "env": "demo", "runner": "<SequentialRunner object at 0x7f>"}
        self.more: list[Node] = []
        self.node, self.inputs = "make", ["raw_images", "given", "table", "params:seed"]
        self.outputs = ["result", "pages", "optional", "evaluations"]

    def describe_finished(self, run_ids: list[str]) -> dict | None:
        """Stand in for the tracking hook."""
        return {name: self.runs[name] for name in run_ids} if set(run_ids) <= set(self.runs) else None

    @property
    def catalog(self) -> DataCatalog:
        optional = {"type": "leukoscope.datasets.TextDataset", "filepath": str(self.root / "optional.txt")}
        return DataCatalog(
            {
                "raw_images": RawImagesDataset(filepath=str(self.root / "raw")),
                "given": JSONDataset(filepath=str(self.root / "given.json")),
                "table": GroupTableDataset(filepath=str(self.root / "groups.csv")),
                "result": JSONDataset(filepath=str(self.root / "result.json")),
                "pages": PartitionedDataset(
                    path=str(self.root / "pages"), filename_suffix=".html", dataset="leukoscope.datasets.TextDataset"
                ),
                "optional": OptionalDataset(dataset=optional),
                "evaluations": EvaluationsDataset(filepath=str(self.root / "evaluations.jsonl")),
                "kept": JSONDataset(filepath=str(self.root / "kept.json")),
                "reader_registry": ReaderRegistryDataset(name="reader", alias="champion", experiment="demo"),
            }
        )

    def run(
        self,
        may_end: bool = True,
        at_load=lambda: None,
        during=lambda: None,
        fails: bool = False,
        refused: bool = False,
    ) -> bool:
        """Run, as the command line does, in a session of its own; tells whether anything was run."""
        hook = UnchangedHook(self)
        hook.after_context_created(SimpleNamespace(config_loader=self.settings, project_path=self.root))
        node = Node(lambda *inputs: inputs, self.inputs, self.outputs, name=self.node)
        pipeline, catalog = Pipeline([node, *self.more]), self.catalog
        with ending_if_unchanged(may_end):
            try:
                hook.before_pipeline_run(self.params, pipeline, catalog)
            except NothingChanged:
                return False
        if refused:
            return True
        at_load()
        hook.after_dataset_loaded("raw_images")
        hook.before_node_run()
        catalog.save("result", {"a": 1})
        catalog.save("pages", {"x": "a page", "y": "another"})
        catalog.save("optional", "words")
        catalog.save("evaluations", {"model_fingerprint": "m", "test": "t", "model": "vgg16", "unit": "image"})
        if self.more:
            catalog.save("kept", [1])
        during()
        if not fails:
            hook.after_pipeline_run(pipeline)
        return True


@pytest.fixture
def place(tmp_path, monkeypatch) -> Place:
    monkeypatch.setattr(state, "_PACKAGE", tmp_path / "package")
    return Place(tmp_path)


def test_the_second_of_two_runs_ends_at_once_and_says_so(place, capsys):
    assert place.run()
    assert capsys.readouterr().out == ""
    for number in range(2):
        place.params = place.params | {"run_id": f"time {number}", "runner": "<SequentialRunner object at 0x99>"}
        assert not place.run()
        said = capsys.readouterr().out
        assert said.startswith("Nothing has changed since ")
        assert "--force" in said
        assert said.count("\n") == 1


def flip(path: Path) -> None:
    """Change a byte, and nothing that the file system tells."""
    facts, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


CHANGES = {
    "an output is gone": lambda place: (place.root / "result.json").unlink(),
    "an optional output is gone": lambda place: (place.root / "optional.txt").unlink(),
    "a byte of an output": lambda place: flip(place.root / "result.json"),
    "a byte of a partition": lambda place: flip(place.root / "pages/x.html"),
    "a partition is gone": lambda place: (place.root / "pages/y.html").unlink(),
    "a partition more": lambda place: (place.root / "pages/z.html").write_text("z"),
    "a folder in place of an output": lambda place: [
        (place.root / "result.json").unlink(),
        (place.root / "result.json").mkdir(),
    ],
    "a result that only grows": lambda place: flip(place.root / "evaluations.jsonl"),
    "a raw image more": lambda place: (place.root / "raw/Benign/b.jpg").write_text("{}"),
    "another raw image": lambda place: (place.root / "raw/Benign/a.jpg").write_text("[]"),
    "a raw image has another name": lambda place: (place.root / "raw/Benign/a.jpg").rename(place.root / "raw/c.jpg"),
    "an input": lambda place: flip(place.root / "given.json"),
    "an input that was not there": lambda place: (place.root / "groups.csv").write_text("image_id,group"),
    "a parameter": lambda place: place.settings["parameters"].update(seed=2),
    "the catalog": lambda place: place.settings["catalog"].update(result={"save_args": {}}),
    "a file of weights": lambda place: flip(place.root / "weights.h5"),
    "the code": lambda place: flip(place.root / "package/code.py"),
    "a template": lambda place: flip(place.root / "package/page.html"),
    "a module more": lambda place: (place.root / "package/new.py").write_text(""),
    "the environment": lambda place: place.params.update(env="report"),
    "the nodes": lambda place: place.params.update(to_nodes=["make"]),
    "another node": lambda place: setattr(place, "node", "make_otherwise"),
    "a partition has another name": lambda place: (place.root / "pages/y.html").rename(place.root / "pages/yy.html"),
    "the pipeline": lambda place: place.outputs.remove("pages"),
    "the runner": lambda place: place.params.update(runner="<ThreadRunner object at 0x7f>"),
    "a run of MLflow is gone": lambda place: place.runs.clear(),
    "a file is gone from a run of MLflow": lambda place: place.runs["run-1"]["artifacts"].clear(),
    "the record is damaged": lambda place: [file.write_text("{") for file in place.root.glob("data/.finished/*")],
    "the record lacks something": lambda place: [
        file.write_text('{"finished": ""}') for file in place.root.glob("data/.finished/*")
    ],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_is_run(place, change):
    assert place.run()
    assert not place.run()
    change(place)
    if (place.root / "result.json").is_dir():
        (place.root / "result.json").rmdir()
    assert place.run()


def test_another_library_backend_or_file_of_keras_is_run(place, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert place.run()
    (tmp_path / "site/numpy-9.9.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert place.run()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert place.run()
    (tmp_path / "keras.json").write_text("{}")
    assert place.run()
    assert not place.run()


def test_the_order_of_names_in_a_command_makes_no_other_one(place):
    """Kedro hands on pipelines in the order of a set, which is another in each process."""
    place.params["pipeline_names"] = ["train_vgg16", "comparison"]
    assert place.run()
    place.params["pipeline_names"] = ["comparison", "train_vgg16"]
    assert not place.run()
    place.params["pipeline_names"] = ["comparison"]
    assert place.run()


def test_a_command_has_a_record_of_its_own(place):
    assert place.run()
    place.params["env"] = "report"
    assert place.run()
    place.params["env"] = "demo"
    assert not place.run()


def test_who_does_not_let_it_end_runs_it(place):
    assert place.run()
    assert place.run(may_end=False)
    assert not place.run()


def test_a_run_that_failed_leaves_no_record(place):
    assert place.run()
    assert place.run(may_end=False, fails=True)
    assert place.run()


def test_a_run_that_is_refused_before_it_begins_forgets_nothing(place):
    assert place.run()
    assert place.run(may_end=False, refused=True)
    assert not place.run()


@pytest.mark.parametrize(
    ("reason", "again"), [("unreadable: Permission denied", True), ("no image", False), (None, False)]
)
def test_what_could_not_be_read_is_tried_again(place, tmp_path, monkeypatch, reason, again):
    smears = PackedImagesDataset(filepath=str(tmp_path / "smears"))
    monkeypatch.setattr(
        PackedImagesDataset, "load", lambda self: SimpleNamespace(records=pd.DataFrame({"reason": [reason]}))
    )
    hook = UnchangedHook(place)
    hook._catalog = DataCatalog({"smears": smears})
    assert hook._has_unread("smears") is again


def test_a_run_that_mlflow_does_not_know_as_finished_leaves_none(place):
    place.last_runs = ["unfinished"]
    assert place.run()
    assert place.run()


def test_what_changes_meanwhile_is_not_taken_for_what_was_read(place):
    assert place.run(during=lambda: (place.root / "given.json").write_text("[1]"))
    assert place.run(during=lambda: (place.root / "raw/Benign/new.jpg").write_text("{}"))
    assert place.run()
    assert not place.run()


def test_what_another_run_put_in_place_of_a_result_is_not_remembered(place):
    assert place.run(during=lambda: (place.root / "result.json").write_text('{"of": "another"}'))
    assert place.run()
    assert not place.run()


def test_a_result_that_is_missing_at_the_end_is_not_remembered(place):
    assert place.run(during=(place.root / "evaluations.jsonl").unlink)
    assert place.run()


def test_what_cannot_be_looked_at_is_always_run(place):
    place.inputs.append("reader_registry")
    assert place.run()
    assert place.run()
    assert not (place.root / "data").exists()


def test_what_passes_from_node_to_node_is_not_looked_at_and_what_is_left_in_memory_always_run(place):
    place.more = [Node(lambda result: result, "result", "passing", name="gather")]
    place.more.append(Node(lambda passing: passing, "passing", "kept", name="keep"))
    assert place.run()
    assert not place.run()
    place.more.append(Node(lambda passing: passing, "passing", "left", name="leave"))
    assert place.run()
    assert place.run()


def test_what_lies_elsewhere_is_always_run(place, monkeypatch):
    """Kedro's data sets may be of a store that is no folder of this machine."""
    original = Place.catalog.fget

    def elsewhere(self) -> DataCatalog:
        catalog = original(self)
        catalog.get("given")._protocol = "s3"
        return catalog

    monkeypatch.setattr(Place, "catalog", property(elsewhere))
    assert place.run()
    assert place.run()


def test_what_cannot_be_read_is_left_to_the_run(place, monkeypatch):
    assert place.run()

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("leukoscope.hooks.unchanged.describe_content", refuse)
        assert place.run()


def test_images_may_be_drawn_when_they_are_loaded(place):
    raw, drawn = place.root / "raw", place.root / "drawn"
    raw.rename(drawn)
    assert place.run(at_load=lambda: drawn.rename(raw))
    assert not place.run()


def test_images_that_are_gone_are_told_as_ever(place):
    assert place.run()
    (place.root / "raw/Benign/a.jpg").unlink()
    (place.root / "raw/Benign").rmdir()
    (place.root / "raw").rmdir()
    with pytest.raises(InputError, match="There are no images"):
        place.run()
