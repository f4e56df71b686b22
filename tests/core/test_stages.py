import pytest
from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import find_model, list_models, make_stage


def copy(value):
    return value


def test_a_stage_keeps_the_names_of_data_sets_and_parameters():
    stage = make_stage("splitting", [Node(copy, "params:seed", "splits", name="copy")])
    assert [node.name for node in stage.nodes] == ["splitting.copy"]
    assert stage.datasets() == {"params:seed", "splits"}


def test_a_stage_is_no_model():
    model = Pipeline([Node(copy, "a", "b", name="copy", namespace="resnet50")])
    both = model + make_stage("audit", [Node(copy, "b", "c", name="copy")])
    assert [find_model(node) for node in both.nodes] == ["resnet50", None]
    assert list_models(both) == {"resnet50"}
    assert find_model(Node(copy, "a", "b", name="copy")) is None


def test_a_stage_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="is no stage"):
        make_stage("resnet50", [])
