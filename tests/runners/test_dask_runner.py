"""A pipeline whose models are tasks of a cluster, and whose other nodes run here."""

import json

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline

from leukoscope.core.errors import InputError
from leukoscope.core.parting import Part
from leukoscope.core.session import Session, remember_session
from leukoscope.core.stages import find_model
from leukoscope.pipeline_registry import register_pipelines
from leukoscope.runners import DaskRunner, dask_runner
from leukoscope.runners.dask_runner import Waiting, complete_groups, find_pipelines, group_nodes, order_groups

FILES = ("images", "vgg16.model", "vgg16.metrics", "vote.model", "vote.metrics", "comparison")


def take(*values):
    return " ".join(values)


@pytest.fixture
def two_models():
    """Two models on shared images, the second made of the first, and a comparison."""
    shared = node(take, "raw", "images", name="ingest")
    models = []
    for name, inputs in (("vgg16", ["images"]), ("vote", ["images", "vgg16.model"])):
        models += [
            node(take, inputs, f"{name}.model", name="train", namespace=name),
            node(take, [f"{name}.model", "images"], f"{name}.metrics", name="evaluate", namespace=name),
        ]
    last = node(take, ["vgg16.metrics", "vote.metrics"], "comparison", name="compare")
    return pipeline([shared, *models, last])


@pytest.fixture
def make_catalog(tmp_path):
    def make(*in_memory, **cluster):
        files = {
            name: {"type": "text.TextDataset", "filepath": str(tmp_path / f"{name}.txt")}
            for name in FILES
            if name not in in_memory
        }
        catalog = DataCatalog.from_config(files)
        catalog["raw"], catalog["params:cluster"] = "raw", cluster
        return catalog

    return make


def test_nodes_of_a_namespace_are_a_group_in_an_order_in_which_they_can_run(two_models):
    groups = group_nodes(two_models)
    assert [len(nodes) for nodes in groups.values()] == [1, 2, 2, 1]
    assert order_groups(groups, two_models.node_dependencies) == {
        "the node ingest": set(),
        "vgg16": {"the node ingest"},
        "vote": {"the node ingest", "vgg16"},
        "the node compare": {"vgg16", "vote"},
    }


def test_every_pipeline_of_the_project_can_be_grouped():
    for name, made in register_pipelines().items():
        groups = group_nodes(made)
        assert order_groups(groups, made.node_dependencies).keys() == groups.keys(), name


def test_namespaces_that_need_each_other_are_refused():
    circle = pipeline(
        [
            node(take, "raw", "a.one", name="one", namespace="a"),
            node(take, "a.one", "b.two", name="two", namespace="b"),
            node(take, "b.two", "a.three", name="three", namespace="a"),
        ]
    )
    with pytest.raises(InputError, match="need each other's results in turn"):
        order_groups(group_nodes(circle), circle.node_dependencies)


def test_what_is_in_memory_is_not_handed_from_group_to_group(two_models, make_catalog):
    with pytest.raises(InputError, match=r"in memory only: vgg16\.model \(vgg16 to vote\)\. Give"):
        DaskRunner().run(two_models, make_catalog("vgg16.model", workers=2))
    with pytest.raises(InputError, match=r"memory only: vote\.metrics \(vote to the node compare\)\."):
        DaskRunner().run(two_models, make_catalog("vote.metrics", workers=2))
    with pytest.raises(InputError, match=r"memory only: raw \(given to vgg16\), raw \(given to vote\), vgg16\.metrics"):
        DaskRunner().run(two_models, make_catalog(*FILES, workers=2))
    within = two_models.only_nodes_with_namespaces(["vgg16"])
    with pytest.raises(InputError, match=r"neither cluster\.scheduler nor cluster\.workers"):
        DaskRunner().run(within, make_catalog("vgg16.model"))


def test_what_models_take_from_memory_is_made_by_each(two_models, make_catalog):
    catalog = make_catalog("images")
    spread = {name: nodes for name, nodes in group_nodes(two_models).items() if find_model(nodes[0])}
    made = two_models + pipeline([node(take, None, "raw", name="draw")])
    complete = complete_groups(spread, made, catalog)
    names = {name: [node.name for node in nodes] for name, nodes in complete.items()}
    assert names["vgg16"] == ["vgg16.train", "ingest", "draw", "vgg16.evaluate"]
    assert names["vote"] == ["vote.train", "ingest", "draw", "vote.evaluate"]


def test_without_models_no_cluster_is_needed(make_catalog, tmp_path):
    plain = pipeline([node(take, "raw", "images", name="ingest"), node(take, "images", "comparison", name="compare")])
    DaskRunner().run(plain, make_catalog("images"))
    assert (tmp_path / "comparison.txt").read_text() == "raw"


def test_groups_are_given_when_they_are_ready_and_nodes_of_this_process_run_in_between(two_models):
    ran = []
    before = order_groups(group_nodes(two_models), two_models.node_dependencies)
    waiting = Waiting(before, lambda name, times: Part(f"{name}-{times}", name, 1, None), ran.append, {"vgg16", "vote"})
    assert [part.name for part in waiting] == ["vgg16-1"]
    assert ran == ["the node ingest"]
    waiting.repeat("vgg16")
    assert [part.name for part in waiting] == ["vgg16-2"]
    waiting.finish("vgg16")
    assert [part.name for part in waiting] == ["vote-1"]
    waiting.finish("vote")
    assert not list(waiting)
    assert ran == ["the node ingest", "the node compare"]


def test_nodes_are_found_in_the_smallest_pipeline_that_has_them(monkeypatch, two_models):
    some = {"all": two_models, "one": two_models.only_nodes_with_namespaces(["vgg16"])}
    monkeypatch.setattr("kedro.framework.project.pipelines", some)
    assert find_pipelines(["vgg16.train", "vgg16.evaluate"]) == ["one"]
    assert find_pipelines(["vgg16.train", "vote.train"]) == ["all"]


@pytest.mark.slow
def test_nothing_of_the_project_is_in_memory_only_where_it_would_have_to_pass(project_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    bootstrap_project(project_path)
    with KedroSession.create(project_path, env="demo") as session:
        catalog = session.load_context().catalog
    for name, made in pipelines.items():
        spread = {name: nodes for name, nodes in group_nodes(made).items() if find_model(nodes[0])}
        assert complete_groups(spread, made, catalog).keys() == spread.keys(), name


# Stands in for `kedro run`: what it is to make is a file, of the names of what it was given.
FAKE = """
import json, os, pathlib, sys
here = pathlib.Path.cwd()
options = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())["leukoscope"]
with open("ran.jsonl", "a") as file: file.write(json.dumps(options) + "\\n")
for name in options["node_names"].split(","):
    model, _, what = name.partition(".")
    wish = here / f"{model}.{what}.wish"
    if wish.is_file() and wish.read_text() == "fail": sys.exit("Error: it cannot.")
    if wish.is_file():
        times = int(wish.read_text()) - 1
        wish.write_text(str(times)) if times else wish.unlink()
        os.kill(os.getppid(), 9)
    (here / f"{model}.{dict(train='model', evaluate='metrics')[what]}.txt").write_text(f"{name} of {os.getpid()}")
"""


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


@pytest.fixture
def run(cluster, two_models, make_catalog, tmp_path, monkeypatch):
    from distributed import Client

    from fake_units import fake_workers

    package = tmp_path / "fake/leukoscope"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE)
    monkeypatch.setattr(dask_runner, "find_pipelines", lambda names: ["some"])
    remember_session(Session(tmp_path, "demo", "conf", {"seed": 7}, tmp_path / "data"))

    def run():
        with Client(cluster) as client:
            fake_workers(client, str(package.parent))
            DaskRunner().run(two_models, make_catalog(scheduler=cluster.scheduler_address, workers=2, timeout=60))
        return [json.loads(line) for line in (tmp_path / "ran.jsonl").read_text().splitlines()]

    return run


@pytest.mark.slow
def test_each_model_is_a_command_of_its_own_on_a_worker(run, tmp_path):
    first, second = run()
    assert first == {
        "env": "demo",
        "conf_source": "conf",
        "pipelines": "some",
        "node_names": "vgg16.train,vgg16.evaluate",
        "params": {"seed": 7},
    }
    assert second["node_names"] == "vote.train,vote.evaluate"
    assert (tmp_path / "images.txt").read_text() == "raw"
    assert (tmp_path / "comparison.txt").read_text().startswith("vgg16.evaluate of ")
    assert list((tmp_path / "data/.groups").iterdir()) == []


@pytest.mark.slow
def test_a_group_whose_worker_is_killed_runs_again_a_few_times(run, tmp_path):
    (tmp_path / "vgg16.evaluate.wish").write_text("2")
    ran = run()
    assert [options["node_names"].partition(".")[0] for options in ran] == ["vgg16"] * 3 + ["vote"]
    (tmp_path / "vgg16.evaluate.wish").write_text("9")
    with pytest.raises(InputError, match="vgg16 was given up: a worker process ended each of the 3 times"):
        run()
    assert len((tmp_path / "ran.jsonl").read_text().splitlines()) == 4 + 3


@pytest.mark.slow
def test_a_group_that_fails_ends_the_run_with_its_reason(run, tmp_path):
    (tmp_path / "vote.train.wish").write_text("fail")
    with pytest.raises(InputError, match=r"vote failed: it cannot\. What was finished is kept"):
        run()
    assert (tmp_path / "vgg16.metrics.txt").is_file()
    assert not (tmp_path / "comparison.txt").exists()
