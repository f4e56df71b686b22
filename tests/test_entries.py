import json
import re

import pytest
import yaml

from leukoscope import entries
from leukoscope.core.commands import name_training, set_models
from leukoscope.core.errors import InputError
from leukoscope.pipeline_registry import register_pipelines

ENDS = ("_features", "_result", "_reports", "_model_cards")


def test_an_entry_knows_its_name():
    completed = entries.complete_entries({"models": {"own": {"architecture": "vgg16"}}, "seed": 3})
    assert completed == {"models": {"own": {"architecture": "vgg16", "name": "own"}}, "seed": 3}


def test_what_earlier_versions_said_of_a_model_joins_its_entry(caplog):
    parameters = {
        "models": {"vgg16": {"architecture": "vgg16", "training": {"epochs": 3, "dropout": 0.1}}},
        "vgg16": {"backbone": "vgg16", "training": {"epochs": 5}},
    }
    completed = entries.complete_entries(parameters)
    training = {"epochs": 5, "dropout": 0.1}
    assert completed == {"models": {"vgg16": {"architecture": "vgg16", "training": training, "name": "vgg16"}}}
    assert "vgg16 is read as models.vgg16" in caplog.text


@pytest.mark.parametrize("models", [None, [], "resnet50", {"resnet50": None}, {"resnet50": []}])
def test_what_is_no_table_of_entries_is_refused(models):
    with pytest.raises(InputError, match="and not a table"):
        entries.complete_entries({"models": models})


@pytest.mark.parametrize(
    "name",
    [
        "ResNet50",
        "my model",
        "a.b",
        "1st",
        "",
        "blind",
        "external",
        "größe",
        "explanations",
        "opinions",
        "stain_colour",
    ],
)
def test_a_name_that_would_make_no_pipeline_is_refused(name):
    with pytest.raises(InputError, match="A model cannot be called"):
        entries.set_entries({name: {}})


@pytest.mark.parametrize("kind", [[], {}, None, 3, ["network"]])
def test_what_is_no_kind_is_told_only_when_entries_are_validated(kind):
    """Pipelines are registered before: whoever is made of such an entry has no members."""
    made = {"own": {"kind": kind}, "vote": {"kind": "ensemble", "members": ["own"]}, "seen": {"kind": "views"}}
    made["seen"]["member"] = "own"
    assert entries._describe(made, "own").kind == str(kind)
    assert entries._find_members(made, "vote") == entries._find_members(made, "seen") == ("own",)


def test_there_must_be_an_entry():
    with pytest.raises(InputError, match="no entry"):
        entries.set_entries({})


def test_entries_are_read_without_a_session(tmp_path, monkeypatch):
    for file, content in {
        "base/parameters_models.yml": "models: {one: {kind: network}, two: {kind: network}}",
        "local/parameters.yml": "models: {three: {architecture: vgg16}, two: {architecture: vgg19}}",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content)
    read = entries.read_entries(tmp_path, None, {"models": {"four": {}}})
    assert set(read) == {"one", "two", "three", "four"}
    assert read["two"] == {"kind": "network", "architecture": "vgg19"}


def test_names_that_would_make_another_data_set_are_reserved():
    models = entries.list_entries()
    names = set().union(*(pipeline.datasets() for pipeline in register_pipelines().values()))
    others = {name for name in names if not name.startswith(("params:", *models))}
    made = {name.removesuffix(end) for name in others for end in ENDS if name.endswith(end)}
    assert made == entries.TAKEN


def test_the_command_line_wins_over_what_earlier_versions_said():
    given = {"models": {"vgg16": {"training": {"epochs": 9}}}}
    parameters = {
        "models": {"vgg16": {"architecture": "vgg16", "training": {"epochs": 9, "dropout": 0.1}}},
        "vgg16": {"training": {"epochs": 5, "dropout": 0.3}},
    }
    training = entries.complete_entries(parameters, (), given)["models"]["vgg16"]["training"]
    assert training == {"epochs": 9, "dropout": 0.3}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"models": {"seed": {}}, "seed": 3}, "cannot be called 'seed', which is another parameter's name"),
        ({"models": {"audit": {}}, "audit": {"folds": 5}}, "cannot be called 'audit'"),
        ({"models": {"vgg16": {}}, "vgg16": 5}, "vgg16 is 5, and vgg16 is a model"),
        ({"models": {"vgg16": {"name": "My VGG"}}}, "models.vgg16.name cannot be set.*give models.vgg16.label"),
    ],
)
def test_what_would_be_taken_for_something_else_is_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        entries.complete_entries(parameters, {"models", "seed", "audit"})


def test_folders_beside_those_of_the_models_are_reserved(project_path):
    catalogs = [yaml.safe_load(file.read_text()) for file in (project_path / "conf/base").glob("catalog*.yml")]
    places = re.findall(r"/0[678]_\w+/(\w+)(?:'|\"|/)", json.dumps(catalogs).replace("{model}/", ""))
    assert {place for place in places if "." not in place} - {"current"} <= entries.FOLDERS


def test_messages_name_a_model_that_there_is(monkeypatch):
    monkeypatch.setattr(entries, "_current", {})
    monkeypatch.setattr(entries.pipelines, "configure", lambda _: None)
    entries.set_entries({"my_network": {}, "resnet50": {}})
    assert name_training() == "kedro run --pipelines train_my_network"
    set_models([])


@pytest.mark.parametrize(("value", "is_default"), [(False, False), ("no", False), (0, False), (True, True)])
def test_what_is_trained_by_default_is_read_as_options_read_it(monkeypatch, value, is_default):
    monkeypatch.setattr(entries, "_current", {})
    monkeypatch.setattr(entries.pipelines, "configure", lambda _: None)
    entries.set_entries({"own": {"kind": "network", "default": value}})
    assert entries.describe_entries()["own"].default is is_default
    set_models([])
