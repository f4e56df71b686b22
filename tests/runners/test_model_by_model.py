import pytest
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline

from leukoscope.pipeline_registry import register_pipelines
from leukoscope.runners import ModelByModelRunner
from leukoscope.runners.model_by_model import order_nodes


def take(*values):
    return sum(values)


@pytest.fixture
def two_models():
    """Two models on shared images, the second made of the first, and a comparison."""
    shared = node(take, "raw", "images", name="ingest", namespace="ingestion")
    models = []
    for name, inputs in (("vgg16", ["images"]), ("vote", ["images", "vgg16.model"])):
        models += [
            node(take, inputs, f"{name}.model", name="train", namespace=name),
            node(take, [f"{name}.model", "images"], f"{name}.metrics", name="evaluate", namespace=name),
        ]
    sheet = node(take, "images", "sheet", name="describe", namespace="reporting")
    last = node(take, ["vgg16.metrics", "vote.metrics"], "comparison", name="compare")
    return pipeline([shared, *models, sheet, last])


def test_a_model_is_finished_before_the_next_begins(two_models):
    ordered = order_nodes(two_models.nodes, two_models.node_dependencies)
    assert [one.name for one in ordered] == [
        "ingestion.ingest",
        "reporting.describe",
        "vgg16.train",
        "vgg16.evaluate",
        "vote.train",
        "vote.evaluate",
        "compare",
    ]


def test_a_run_goes_model_by_model(two_models):
    begun = []

    class Listening:
        def before_node_run(self, node, **_):
            begun.append(node.namespace)

        def __getattr__(self, name):
            return lambda **_: []

    hooks = type("Manager", (), {"hook": Listening()})()
    catalog = DataCatalog.from_config({"raw": {"type": "MemoryDataset", "data": 1}})
    ModelByModelRunner().run(two_models, catalog, hooks)
    assert begun == ["ingestion", "reporting", "vgg16", "vgg16", "vote", "vote", None]


@pytest.mark.slow
def test_what_a_node_needs_has_run_before_it():
    everything = sum(register_pipelines().values(), pipeline([]))
    ordered = order_nodes(everything.nodes, everything.node_dependencies)
    place = {one: number for number, one in enumerate(ordered)}
    assert len(ordered) == len(everything.nodes)
    assert all(place[before] < place[one] for one, needed in everything.node_dependencies.items() for before in needed)
