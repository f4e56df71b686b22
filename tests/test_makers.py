import subprocess
import sys

import pytest
from kedro.io import AbstractDataset, DataCatalog

from leukoscope.makers import MakersHook, _at_work, find_maker, name_maker


@pytest.mark.parametrize(
    ("name", "pipeline"),
    [
        ("smears", "ingestion"),
        ("manifest", "ingestion"),
        ("splits", "splitting"),
        ("grouped_images", "splitting"),
        ("training_plan", "augmentation"),
        ("vgg19.recipe", "train_vgg19"),
        ("vgg19.journal", "train_vgg19"),
        ("mobilenet_v2.model", "train_mobilenet_v2"),
        ("mobilenet_v2.predictions", "train_mobilenet_v2"),
        ("mobilenet_v2_features", "train_mobilenet_v2"),
        ("resnet50_result", "train_resnet50"),
        ("trained_models", "train_resnet50"),
        ("calibrations", "train_resnet50"),
        ("evaluated_predictions", "train_resnet50"),
        ("evaluated_features", "train_resnet50"),
        ("evaluations", "train_resnet50"),
        ("colour_baseline", "comparison"),
        ("differences", "comparison"),
        ("audit_table", "audit"),
        ("model_cards", "reporting"),
        ("external_manifest", "external"),
        ("reader", "reader"),
        ("reader_registry", "promote"),
        ("opinions", "predict"),
        ("agreement", "agreement"),
        ("vgg19_runs", "train_vgg19"),
        ("out_of_fold", "cross_validation"),
        ("fold_figures", "cross_validation"),
        ("cross_validation", "cross_validation"),
    ],
)
def test_the_smallest_pipeline_that_makes_it_is_named(name, pipeline):
    assert name_maker(name) == f"kedro run --pipelines {pipeline}"


@pytest.mark.parametrize("name", ["raw_images", "group_table", "reviews", "no_such"])
def test_what_no_pipeline_makes_has_no_command(name):
    assert name_maker(name) is None


@pytest.mark.parametrize(("env", "end"), [(None, ""), ("local", ""), ("demo", " --env demo"), ("base", " --env base")])
def test_the_command_is_for_the_environment_of_the_run(env, end):
    assert name_maker("splits", env) == f"kedro run --pipelines splitting{end}"


@pytest.mark.parametrize(
    ("place", "pipeline"),
    [
        ("07_model_output/vgg16/out_of_fold.parquet", "cross_validation"),
        ("07_model_output/vgg16/predictions.parquet", "train_vgg16"),
        ("08_reporting/explanations/a.png", "explain"),
        ("08_reporting/cross_validation.csv", "cross_validation"),
    ],
)
def test_a_file_leads_to_the_command_that_makes_it_among_partitions_too(tmp_path, place, pipeline):
    def make(kind: str, place: str, **more: str):
        config = {"type": f"leukoscope.datasets.{kind}", "filepath": str(tmp_path / place)} | more
        return AbstractDataset.from_config(place, config)

    def make_partitions(place: str, suffix: str):
        config = {
            "path": str(tmp_path / place),
            "filename_suffix": suffix,
            "dataset": "leukoscope.datasets.TextDataset",
        }
        return AbstractDataset.from_config(place, {"type": "leukoscope.datasets.PartitionedDataset"} | config)

    catalog = DataCatalog(
        {
            "software": make("SoftwareDataset", "."),  # which is at the root of all, and made by nothing
            "out_of_fold": make_partitions("07_model_output", "/out_of_fold.parquet"),
            "evaluated_predictions": make_partitions("07_model_output", "/predictions.parquet"),
            "vgg16.predictions": make("ParquetDataset", "07_model_output/vgg16/predictions.parquet"),
            "explanations": make_partitions("08_reporting/explanations", ".png"),
            "cross_validation": make("CSVDataset", "08_reporting/cross_validation.csv"),
        }
    )
    MakersHook().after_catalog_created(catalog)
    try:
        assert find_maker(tmp_path / place) == f"kedro run --pipelines {pipeline}"
    finally:
        _at_work.clear()


def test_no_backend_is_imported():
    code = (
        "import sys; from leukoscope.makers import name_maker; name_maker('trained_models');"
        "print(sorted({'keras', 'tensorflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1].strip() == "[]"
