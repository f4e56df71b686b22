"""What Kedro-Viz draws: a box a stage and a model, and nothing that would hide the flow between them."""

import inspect
import sys
from graphlib import TopologicalSorter

import pytest
import viz_server

from leukoscope import drawing
from leukoscope.core.stages import STAGES, list_models
from leukoscope.entries import describe_entries
from leukoscope.pipeline_registry import register_pipelines

# Of kinds that differ in what they take: a whole one, a network's, a crafted model's, and two of a reader.
ORDERED = ("__default__", "train_resnet50", "train_putzu_svm", "splitting", "predict", "explain")


@pytest.fixture(scope="module")
def drawn():
    entries = describe_entries()
    return drawing.simplify(register_pipelines(), entries, [name for name, entry in entries.items() if entry.default])


def test_a_run_has_pipelines_as_they_are(monkeypatch):
    registered = register_pipelines()
    assert "alexnet_result" in registered["__default__"].inputs()
    monkeypatch.setitem(sys.modules, "kedro_viz.integrations.kedro.data_loader", None)
    assert "alexnet_result" not in register_pipelines()["__default__"].inputs()


def test_all_nodes_are_drawn_each_in_a_box(drawn):
    for name, pipeline in register_pipelines().items():
        assert {node.name for node in drawn[name].nodes} == {node.name for node in pipeline.nodes}
        assert {node.namespace for node in pipeline.nodes} <= STAGES | list_models(pipeline)


def test_what_is_drawn_of_everything_is_a_dozen_boxes(drawn):
    pipeline = drawn["__default__"]
    assert len({node.namespace for node in pipeline.nodes}) == 12
    assert {name for name in pipeline.inputs() if not name.startswith("params:")} == {
        "raw_images",
        "group_table",
        "label_table",
    }
    shown = {"ingestion_figure", "montage", "split_report", "augmentation_preview", "audit_figure", "comparison_figure"}
    assert pipeline.outputs() == shown | {"reports", "model_cards", "comparison_page", "literature_page"}


def test_what_a_model_takes_of_another_is_drawn(drawn):
    assert {"resnet50_features", "vgg16.model"} <= drawn["train_kappa_vote"].inputs()
    assert {"resnet50_pictures", "resnet50_runs"} <= drawn["train_resnet50"].outputs()


def test_what_other_commands_may_have_left_is_not_drawn(drawn):
    inputs = {name for name in drawn["train_putzu_svm"].inputs() if not name.startswith("params:")}
    assert inputs == {"raw_images", "group_table", "label_table"}
    assert "packed_images" not in drawn["predict"].inputs()
    assert {"audit_table", "audit_verdict"} <= drawn["reporting"].inputs() | drawn["__default__"].datasets()


def test_what_is_drawn_has_its_own_code(drawn):
    node = next(node for node in drawn["__default__"].nodes if node.name == "comparison.collect_results")
    assert "def collect_results(" in inspect.getsource(node.func)
    assert list(inspect.signature(node.func).parameters) == ["inputs"], "or Kedro checks parameters at wrong places"


def test_boxes_do_not_stand_in_a_circle(drawn):
    """Closed boxes that depend on each other could not be drawn from top to bottom."""
    for pipeline in (drawn[name] for name in drawn if name not in ("systems", "search", "study")):
        before = {node.namespace: set() for node in pipeline.nodes}
        for node, parents in pipeline.node_dependencies.items():
            before[node.namespace] |= {parent.namespace for parent in parents} - {node.namespace}
        list(TopologicalSorter(before).static_order())


@pytest.mark.slow
def test_kedro_viz_shows_the_project_without_its_hooks(project_path, tmp_path):
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with viz_server.serve(project_path, "--env", "demo", MLFLOW_TRACKING_URI=database) as address:
        root = viz_server.fetch(f"{address}/api/main")["modular_pipelines"]["__root__"]
        drawn = {name: viz_server.fetch(f"{address}/api/pipelines/{name}") for name in ORDERED}
    boxes = {child["id"] for child in root["children"] if child["type"] == "modularPipeline"}
    assert {"ingestion", "resnet50", "comparison"} < boxes
    assert len(boxes) == 12
    for name, pipeline in drawn.items():
        used = {node.get("layer") for node in pipeline["nodes"]}
        layers = [layer for layer in pipeline["layers"] if layer in used]
        assert layers, name
        assert layers == sorted(layers), name
