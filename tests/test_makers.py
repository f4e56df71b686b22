import subprocess
import sys

import pytest

from leukoscope.makers import name_maker


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


def test_no_backend_is_imported():
    code = (
        "import sys; from leukoscope.makers import name_maker; name_maker('trained_models');"
        "print(sorted({'keras', 'tensorflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1].strip() == "[]"
