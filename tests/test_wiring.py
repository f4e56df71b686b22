"""The wiring itself: that pipelines, catalog, parameters and the table of models fit together."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset

from leukoscope.core.stages import STAGES, list_models
from leukoscope.entries import describe_entries, list_entries
from leukoscope.hooks.state import can_be_told
from named_columns import read_entries

ENVIRONMENTS = ("base", "demo", "report", "robust")
# The others differ from it in parameters, not in pipelines.
WITH_SLOW = ["base", *(pytest.param(name, marks=pytest.mark.slow) for name in ENVIRONMENTS[1:])]
# What `kedro run` runs; all other pipelines are asked for by name.
DEFAULT = {"ingestion", "splitting", "augmentation", "training", "evaluation", "comparison", "audit", "reporting"}


@pytest.fixture(scope="module", params=WITH_SLOW)
def context(request, project_path, tmp_path_factory):
    environment = pytest.MonkeyPatch()
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
    bootstrap_project(project_path)
    with KedroSession.create(project_path, env=request.param) as session:
        yield session.load_context()
    environment.undo()


@pytest.fixture(scope="module")
def registered(context):
    return dict(pipelines)


def datasets_of(registered) -> set[str]:
    names = set.union(*(pipeline.datasets() for pipeline in registered.values()))
    return {name for name in names if not name.startswith("params:")}


def test_every_model_has_a_pipeline_of_its_own(registered):
    assert {name for name in registered if name.startswith("train_")} == {f"train_{name}" for name in list_entries()}
    for name in list_entries():
        assert list_models(registered[f"train_{name}"]) == {name}
        assert f"{name}_result" in registered[f"train_{name}"].filter(to_nodes=[f"{name}.write_reports"]).datasets()


def test_everything_but_what_is_asked_for_by_name_is_in_the_default_pipeline(registered):
    later = {name for name in registered if not name.startswith("train_")} - DEFAULT - {"__default__", "systems"}
    before = {node.name for name in ("ingestion", "splitting") for node in registered[name].nodes}
    others = {node.name for name in later for node in registered[name].nodes}
    of_cells = {
        "cells.measure_cell_size",
        "cells.find_cells",
    }  # needed by models that read cells, of which none is run by default
    others -= before | of_cells | {"comparison.collect_results", "audit.collect_features"}
    others |= {"reporting.gather_frame"}
    parts = ("write_reports", "write_model_cards", "collect_result", "compare_errors")
    of_one = {f"{name}.{part}" for name in list_entries() for part in parts}
    everything = {node.name for pipeline in registered.values() for node in pipeline.nodes} - others - of_one
    optional = {name for name, entry in describe_entries().items() if not entry.default}
    missing = everything - {node.name for node in registered["systems"].nodes}
    assert missing == set(), "add them to a pipeline among stages"
    assert {node.name for node in registered["systems"].nodes} == everything, "name a new stage in DEFAULT above"
    left_out = of_cells | {node.name for node in registered["systems"].nodes if node.namespace in optional}
    assert {node.name for node in registered["__default__"].nodes} == everything - left_out


def test_what_reads_cells_finds_them_by_itself(registered):
    entries = describe_entries()
    finding = {
        name for name in entries if "cells.find_cells" in {node.name for node in registered[f"train_{name}"].nodes}
    }
    assert finding == {name for name, entry in entries.items() if entry.kind == "cells" or entry.found}
    assert "cells_forest" in finding


def test_any_two_pipelines_can_be_run_together(registered):
    for one, other in combinations(registered, 2):
        both = registered[one] + registered[other]
        assert {node.name for node in both.nodes} == {
            node.name for name in (one, other) for node in registered[name].nodes
        }


def test_no_model_has_loose_ends(registered):
    """Kedro-Viz shows what nothing consumes outside of the box, once for each model."""
    assert {name for name in registered["__default__"].outputs() if "." in name} == set()


def test_no_data_set_is_in_memory_by_accident(context, registered):
    catalog = context.catalog
    named = set(context.config_loader["catalog"])
    in_memory = {name for name in datasets_of(registered) if isinstance(catalog.get(name), MemoryDataset | None)}
    assert {
        name for name in in_memory if not {name, catalog.config_resolver.match_dataset_pattern(name)} & named
    } == set()


@pytest.mark.parametrize("pipeline", ["__default__", "comparison", "reporting"])
def test_whether_anything_has_changed_can_be_told_of_all_that_a_run_takes(context, registered, pipeline):
    catalog = context.catalog  # made anew each time
    taken = [name for name in registered[pipeline].inputs() if not name.startswith("params:")]
    assert [name for name in taken if not can_be_told(catalog.get(name))] == []


def test_every_catalog_entry_is_used(context, registered):
    used = datasets_of(registered)
    catalog = context.catalog
    patterns = {catalog.config_resolver.match_dataset_pattern(name) for name in used}
    of_the_page_alone = {"shown_opinions"}
    entries = set(context.config_loader["catalog"]) - of_the_page_alone
    assert {entry for entry in entries if entry not in used and entry not in patterns} == set()


def test_every_parameter_is_used(context, registered):
    used = {
        name.removeprefix("params:").split(".")[0]
        for pipeline in registered.values()
        for name in pipeline.datasets()
        if name.startswith("params:")
    }
    paths = {"raw_images", "group_table", "label_table", "external_images", "images"}  # the catalog reads them
    assert set(context.params) == used | paths | {"app"}  # which the review page checks when it starts


def test_other_environments_keep_their_data_apart(context):
    environment = context.env
    if environment == "base":
        pytest.skip("the base environment is the one that others keep apart from")
    catalog = context.config_loader["catalog"]
    written = yaml.safe_dump(
        {
            name: entry
            for name, entry in catalog.items()
            if not name.endswith("images") and name not in ("group_table", "label_table")
        }
    )
    assert f"data/{environment}/0" in written
    assert "filepath: data/0" not in written


def test_the_places_that_other_tools_rely_on(context):
    if context.env != "base":
        pytest.skip("the places are those of the base environment")
    catalog = context.catalog
    places = {
        "manifest": "data/02_intermediate/manifest.parquet",
        "splits": "data/05_model_input/splits.parquet",
        "resnet50.model": "data/06_models/resnet50/model.keras",
        "resnet50.predictions": "data/07_model_output/resnet50/predictions.parquet",
        "resnet50.metrics": "data/08_reporting/resnet50/metrics.json",
        "comparison": "data/08_reporting/comparison.csv",
        "comparison_figure": "data/08_reporting/comparison.png",
    }
    for name, place in places.items():
        assert Path(catalog.get(name)._filepath) == context.project_path / place


def test_every_data_set_has_a_layer_and_every_node_a_name_of_its_function(context, registered):
    catalog = context.catalog
    without = {name for name in datasets_of(registered) if not (catalog.get(name).metadata or {}).get("kedro-viz")}
    assert without == set()
    for pipeline in registered.values():
        others = {node.name for node in pipeline.nodes if node.name.split(".")[-1] != node.func.__name__}
        namespaces = {node.namespace for node in pipeline.nodes}
        assert namespaces <= STAGES | set(list_entries()), "make_stage() puts nodes into a stage"
        assert others == set(), "a node is named as its function"


def test_layers_are_named_as_the_folders_of_data(context, registered, project_path):
    """By their numbers: Kedro-Viz sorts those alphabetically that no data flow puts into an order."""
    catalog = context.catalog
    layers = {catalog.get(name).metadata["kedro-viz"]["layer"] for name in datasets_of(registered)}
    assert layers == {folder.name for folder in (project_path / "data").glob("0*")}


def test_data_flows_from_layer_to_layer_and_never_back(context, registered):
    """Kedro-Viz draws no layers where they form a circle, as votes and students do, which learn from outputs."""
    catalog = context.catalog

    def layers(names) -> list[str]:
        known = (name for name in names if not name.startswith("params:"))
        return [catalog.get(name).metadata["kedro-viz"]["layer"] for name in known]

    entries = describe_entries().items()
    votes = {name for name, entry in entries if entry.kind == "ensemble" or entry.teacher}
    assert votes.isdisjoint(node.namespace for node in registered["__default__"].nodes)
    for node in {node for pipeline in registered.values() for node in pipeline.nodes if node.namespace not in votes}:
        assert max(layers(node.inputs), default="") <= min(layers(node.outputs)), node.name


def test_listing_the_pipelines_imports_no_backend():
    code = (
        "import sys, leukoscope.settings, leukoscope.pipeline_registry as registry\n"
        "registry.register_pipelines()\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib', 'sklearn', 'dask', 'distributed'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1].strip() == "[]"


def test_names_of_people_are_text_in_every_table():
    """A class may be called 0 or NA, which CSV would give back as a number or as missing."""
    names = {"label", "suggested", "model", "title", "first", "second"}
    tables = {name: entry for name, entry in read_entries().items() if entry["type"].endswith("CSVDataset")}
    assert "label_issues" in tables
    for name, entry in tables.items():
        assert names & {*entry["requires"], *entry.get("optional", ())} <= set(entry.get("text", ())), name
