"""What a run needs is looked at before it begins."""

import json

import pytest
from click.testing import CliRunner
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog

from leukoscope import cli
from leukoscope.cells import detector
from leukoscope.core.commands import name_evaluation
from leukoscope.core.errors import InputError
from leukoscope.core.stages import list_models
from leukoscope.datasets import JSONDataset, OptionalDataset, PartitionedDataset
from leukoscope.hooks import InputHook, inputs


@pytest.fixture
def tracking_uri(tmp_path, monkeypatch) -> str:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def open_context(project_path, env="demo", **parameters):
    bootstrap_project(project_path)
    with KedroSession.create(project_path, env=env, runtime_params=parameters) as session:
        return session.load_context()


class TestParameters:
    def test_known_ones_pass(self, project_path, tracking_uri):
        context = open_context(project_path, models={"resnet50": {"training": {"epochs": 5}}})
        assert context.params["models"]["resnet50"].training.epochs == 5

    def test_where_earlier_versions_had_them_they_are_still_read(self, project_path, tracking_uri, caplog):
        context = open_context(project_path, resnet50={"training": {"epochs": 5}})
        entry = context.params["models"]["resnet50"]
        assert (entry.training.epochs, entry.training.learning_rate) == (5, 1e-3)
        assert "resnet50 is read as models.resnet50" in caplog.text

    def test_by_their_old_names_they_are_still_read(self, project_path, tracking_uri, caplog):
        old = {"reader": {"backbone": "vgg16"}, "splitting": {"looks": 7, "group_by": "look"}}
        context = open_context(project_path, **old)
        assert context.params["reader"].model == "vgg16"
        splitting = context.params["splitting"]
        assert (splitting.appearance_clusters, splitting.group_by) == (7, "appearance")
        said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        end = "now, which the next version will insist on"
        assert said == [
            f"reader.backbone is called reader.model {end}",
            f"splitting.looks is called splitting.appearance_clusters {end}",
            f"splitting.group_by=look is called splitting.group_by=appearance {end}",
        ]

    def test_an_entry_of_ones_own_is_a_pipeline(self, project_path, tracking_uri):
        own = {"kind": "network", "architecture": "resnet50", "training": {"trainable": "head"}}
        context = open_context(project_path, models={"resnet50_frozen": own})
        entry = context.params["models"]["resnet50_frozen"]
        assert (entry.name, entry.title) == ("resnet50_frozen", "resnet50_frozen")
        assert list_models(pipelines["train_resnet50_frozen"]) == {"resnet50_frozen"}
        assert "resnet50_frozen_result" in pipelines["comparison"].inputs()
        open_context(project_path)
        assert "train_resnet50_frozen" not in pipelines

    def test_an_entry_may_be_left_out_of_what_is_run_by_default(self, project_path, tracking_uri):
        own = {"kind": "network", "architecture": "resnet50", "default": False}
        open_context(project_path, models={"own": own})
        trains = {name for name, pipeline in pipelines.items() if "own.model" in pipeline.all_outputs()}
        assert trains == {"systems", "train_own"}
        assert "own_result" in pipelines["comparison"].inputs()
        assert name_evaluation("own") == "kedro run --pipelines systems --namespaces own --env demo"
        assert name_evaluation("vgg16") == "kedro run --pipelines evaluation --namespaces vgg16 --env demo"

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"sed": 3}, "no parameter 'sed': did you mean 'seed'"),
            ({"resnet5": {"training": {}}}, "no parameter 'resnet5'"),
            ({"resnet50": {"trainig": {}}}, "did you mean 'training'"),
            ({"vgg16": {"training": {"epocs": 3}}}, "did you mean 'epochs'"),
            ({"training": {"epochs": "three"}}, "training.epochs is 'three': input should be a valid integer"),
            ({"vgg16": {"training": {"trainable": "conv5"}}}, "block2, block3, block4, block5"),
            ({"splitting": {"train": 0.9}}, "add up to 1.2"),
            (
                {"models": {"vgg16": {"training": {"epochs": 0}}}},
                "models.vgg16.training.epochs is 0: input should be greater than 0",
            ),
            ({"vgg16": {"training": {"warmup_epochs": 99}}}, "must be less than epochs"),
            (
                {"models": {"frozen_cell_reader": {"training": {"trainable": "all"}}}},
                r"models\.frozen_cell_reader\.training: optimizer is lbfgs, .*set trainable to head",
            ),
            ({"models": {"frozen_cell_reader": {"training": {"feature_views": -1}}}}, "training.feature_views is -1"),
            (
                {"models": {"frozen_cell_reader": {"pooling": "attention"}}},
                "the attention of frozen_cell_reader trains too",
            ),
            ({"models": {"mobilenet_v2": {"layer": "block 13"}}}, "models.mobilenet_v2.layer is 'block 13'"),
            (
                {"mobilenet_v2": {"layer": "block_13_expand_relu", "training": {"trainable": "Conv_1"}}},
                "may lie behind it",
            ),
            (
                {"models": {"own": {"kind": "ensemble", "members": ["vgg61"]}}},
                "'vgg61', of which models.own.members are some: did you mean 'vgg19'",
            ),
            ({"training": {"epochs": True}}, "training: epochs is True: expected a number"),
            ({"app": {"max_image": 3}}, "no parameter 'max_image' in app: did you mean 'max_images'"),
            ({"training": {"patience": False}}, "training: patience is False: expected a number"),
            ({"models": []}, "cannot be read"),
            ({"models": {"vgg16": {"label": "ResNet50"}}}, "both called 'ResNet50'"),
            ({"resnet50": 5}, "resnet50 is 5, and resnet50 is a model"),
            ({"evaluation": {"benign_class": "Healthy"}}, "none of class_names: Benign, Early, Pre, Pro"),
            ({"seed": 2**32}, "seed is 4294967296; it must be a whole number, 0 or more and below 4294967296"),
            ({"seed": True}, "seed is True"),
            ({"training": []}, "cannot be read"),
            ({"seed": "abc"}, "seed is 'abc'; it must be a whole number"),
            ({"class_names": "Benign"}, r"class_names is \['Benign'\]; it must be a list"),
            ({"class_names": ["Pre-B", "Pre B"]}, "differ in more than case"),
            ({"class_names": ["Benign", False]}, "put the folder's name in quotes"),
            ({"class_names": "Hem|All"}, r"'Benign', which is none of class_names: Hem, All\. .*benign_class=Hem"),
            (
                {"class_names": "Hem|All", "evaluation": {"benign_class": "Hem|All"}},
                "one or more must not",
            ),
            ({"ingestion": {"expected_counts": {"Beign": 3}}}, "did you mean 'Benign'"),
            ({"external": {"class_map": {"hem": "benign"}}}, "hem holds 'benign'; it can hold Benign"),
            ({"group_table": "patients.csv"}, "splitting.group_by=table too"),
            ({"raw_images": 2024}, "raw_images is the int 2024, as YAML reads it, and not a path"),
            ({"images": None}, "images is empty. Expected a path"),
        ],
    )
    def test_wrong_ones_are_refused_with_the_right_names(self, project_path, tracking_uri, parameters, message):
        assert_refused(project_path, parameters, message)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"models": {"vgg16": {"architecture": "vgg91"}}}, "no architecture 'vgg91': did you mean 'vgg19'"),
            ({"models": {"Own": {"kind": "network", "architecture": "vgg16"}}}, "cannot be called 'Own'"),
            ({"models": {"own": {"kind": "netwrok", "architecture": "vgg16"}}}, "models.own.kind is 'netwrok'"),
            ({"models": {"own": {"architecture": "vgg16"}}}, "models.own.kind"),
            ({"models": {"own": {"kind": "ensemble", "members": ["kappa_vote"]}}}, "does not fit: a vote has no"),
            ({"models": {"own": {"kind": "ensemble", "members": ["vgg16", "vgg16"]}}}, "name each model once"),
            ({"models": {"own": {"kind": "ensemble", "members": "vgg16"}}}, "'vgg16': expected a list"),
            ({"models": {"own": {"kind": "views", "member": "vgg61"}}}, "'vgg61', of which models.own.member is one"),
            ({"models": {"own": {"kind": "views", "member": "own"}}}, "does not fit: it is of views"),
            ({"models": {"vgg16": {"label": " "}}}, "models.vgg16.label: label is ' ': expected a line of text"),
            ({"models": {"vgg16": {"label": "a\nb"}}}, "expected a line of text"),
            ({"models": {"own": 5}}, "models.own is 5, and not a table"),
            ({"models": {"own": {"kind": "network"}}}, "models.own.architecture is missing"),
            ({"models": {"vgg16": {"training": 5}}}, "models.vgg16.training is 5: expected a table, like"),
            ({"models": {"own": {"kind": "views", "member": "vgg16", "views": "all"}}}, "'symmetries' or 'rotations'"),
            (
                {"models": {"own": {"kind": "crafted", "classifier": "svn", "features": ["shape"]}}},
                "models.own.classifier is 'svn': input should be 'knn', 'svm'",
            ),
            (
                {"models": {"own": {"kind": "crafted", "classifier": "svm", "features": []}}},
                "models.own.features is .*at least 1 item",
            ),
        ],
    )
    def test_wrong_entries_are_refused_with_the_right_names(self, project_path, tracking_uri, parameters, message):
        """Each makes all pipelines anew."""
        assert_refused(project_path, parameters, message)


def assert_refused(project_path, parameters, message) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_context(project_path, **parameters)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def prepare(project_path, env, **parameters) -> InputHook:
    """Let the hook see a session's parameters."""
    hook = InputHook()
    hook.after_context_created(open_context(project_path, env, **parameters))
    return hook


@pytest.mark.parametrize(
    ("shared", "message"),
    [
        ({"input_size": 64}, r"training\.input_size is 64 pixels; InceptionV3 needs 75 or more"),
        ({"trainable": "block_13"}, r"training\.trainable is 'block_13', which [A-Za-z0-9]+ does not have"),
        ({"warmup_epochs": 25}, "Wrong parameters of [a-z0-9_]+, nothing was run: .*must be less than epochs, 20"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_all_share_need_only_fit_the_models_that_are_run(project_path, tracking_uri, shared, message):
    """In the base environment, where models have no sizes of their own."""
    parameters = {"training": {"epochs": 20} | shared, "mobilenet_v2": {"training": {"epochs": 30}}}
    hook = prepare(project_path, "base", **parameters)
    for name in ("train_mobilenet_v2", "ingestion", "comparison"):
        hook.before_pipeline_run(pipelines[name], DataCatalog())
    for name in ("train_inception_v3", "__default__"):
        with pytest.raises(InputError, match=f"(?s){message}"):
            hook.before_pipeline_run(pipelines[name], DataCatalog())


@pytest.mark.parametrize(
    "shared", [{"mixup": 0.2}, {"cutmix": 1.0}, {"synthetic": 0.3}], ids=lambda value: next(iter(value))
)
def test_what_cannot_be_done_with_single_cells_is_told_before_anything_runs(project_path, tracking_uri, shared):
    (name,) = shared
    hook = prepare(project_path, "demo", augmentation=shared)
    for other in ("train_vgg16", "cells"):
        hook.before_pipeline_run(pipelines[other], DataCatalog())
    with pytest.raises(InputError, match=rf"Set models\.cell_reader\.augmentation\.{name}=0\. Nothing"):
        hook.before_pipeline_run(pipelines["train_cell_reader"], DataCatalog())
    off = {"cell_reader": {"augmentation": {name: 0}}}
    hook = prepare(project_path, "demo", augmentation=shared, models=off)
    hook.before_pipeline_run(pipelines["train_cell_reader"], DataCatalog())


def test_saved_models_may_use_the_detector_of_the_configuration(project_path, tracking_uri, monkeypatch):
    monkeypatch.setattr(detector, "_trusted", {"classical"})
    prepare(project_path, "demo", cells={"detector": "own:detector"})
    detector.require_trusted("own:detector", "It")
    with pytest.raises(InputError, match="not the one of the configuration"):
        detector.require_trusted("others:detector", "It")


def test_names_that_the_command_line_gives_in_one_string_reach_the_nodes(project_path, tracking_uri):
    names = "Normal | Reactive|[Malignant] Pre-B"
    parameters = {"class_names": names, "evaluation": {"benign_class": "Normal|Reactive"}}
    context = open_context(project_path, **parameters)
    assert context.params["class_names"] == ["Normal", "Reactive", "[Malignant] Pre-B"]
    assert context.catalog.load("params:class_names") == ["Normal", "Reactive", "[Malignant] Pre-B"]
    assert context.params["evaluation"].benign_class == ("Normal", "Reactive")


@pytest.mark.parametrize(
    "line", ["class_names: [[Malignant] Pre, Benign]", "class_names:\n- [Malignant] Pre", "class_names: ['${x', b]"]
)
def test_parameters_that_are_no_yaml_are_told_in_one_line(project, monkeypatch, tracking_uri, line):
    monkeypatch.chdir(project)
    bootstrap_project(project)
    (project / "conf/local/parameters.yml").write_text(line)
    answer = CliRunner().invoke(cli.run, ["--pipelines", "ingestion"])
    (project / "conf/local/parameters.yml").unlink()
    assert answer.exit_code == 1
    assert "Traceback" not in answer.output
    assert "Error: The parameters cannot be read, nothing was run: " in answer.output
    assert ("must stand in quotes" in " ".join(answer.output.split())) is ("$" not in line)  # OmegaConf's sign


@pytest.mark.parametrize(
    "parameters", [{"vgg16": {"training": {"weights": "no.h5"}}}, {"training": {"weights": "no.h5"}}]
)
def test_a_weights_file_is_looked_for_before_the_images_are_prepared(project_path, tracking_uri, parameters):
    hook = InputHook()
    bootstrap_project(project_path)
    with KedroSession.create(project_path, env="demo", runtime_params=parameters) as session:
        context = session.load_context()
        hook.after_context_created(context)
    hook.before_pipeline_run(pipelines["ingestion"], context.catalog)
    with pytest.raises(InputError, match=r"no weights file 'no\.h5' .*vgg16\.training\.weights"):
        hook.before_pipeline_run(pipelines["train_vgg16"], context.catalog)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("parameters_wrong.yml", "seed: [1, 2", "parameters_wrong.yml"),
        ("parameters_wrong.yml", "seed: 1\nseed: 2", "seed"),
        ("parameters_wrong.yml", "seed: ${globals:nothing}", "nothing"),
        ("parameters_wrong.yml", "seeds: 1", "seeds"),
        ("mlflow.yml", "tracking: 3", "mlflow.yml"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_one_line(project, monkeypatch, tracking_uri, name, text, message):
    file = project / "conf/local" / name
    file.write_text(text)
    try:
        with pytest.raises(InputError, match=message) as caught:
            open_context(project, env="local")
    finally:
        file.unlink()
    assert "\n" not in str(caught.value)


def test_an_environment_that_is_none_is_named_with_those_that_are(project_path, tracking_uri):
    with pytest.raises(
        InputError, match=r"no environment 'demoo': did you mean 'demo'.* base, cluster, demo, local, report"
    ):
        open_context(project_path, env="demoo")


@pytest.fixture
def hook(project_path, tracking_uri) -> InputHook:
    hook = InputHook()
    hook.after_context_created(open_context(project_path, env="report"))
    return hook


def catalog_at(root, *missing: str) -> DataCatalog:
    """What promotion takes, there but for what is missing."""
    places = {
        "trained_models": "data/06_models/resnet50/model.keras",
        "calibrations": "data/07_model_output/resnet50/calibration.json",
        "evaluated_predictions": "data/07_model_output/resnet50/predictions.parquet",
        "evaluated_features": "data/07_model_output/resnet50/features.parquet",
        "smears": "data/02_intermediate/smears/store.json",
        "splits": "data/05_model_input/splits.json",
    }
    datasets = {}
    for name, place in places.items():
        path = root / place
        if name not in missing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
        if path.parent.name == "resnet50":
            datasets[name] = PartitionedDataset(
                path=str(path.parents[1]), filename_suffix=f"/{path.name}", dataset="leukoscope.datasets.TextDataset"
            )
        else:
            datasets[name] = JSONDataset(filepath=str(path))
    return DataCatalog(datasets)


def test_everything_there_runs_without_a_card(hook, tmp_path):
    hook.before_pipeline_run(pipelines["promote"], catalog_at(tmp_path))


def test_all_that_is_missing_is_named_with_what_makes_it(hook, tmp_path):
    catalog = catalog_at(tmp_path, "trained_models", "calibrations", "splits")
    with pytest.raises(InputError) as caught:
        hook.before_pipeline_run(pipelines["promote"], catalog)
    assert str(caught.value) == (
        "Not made yet, and needed here: calibrations, splits, trained models. Run `kedro run --pipelines "
        "train_resnet50 --env report` first. Nothing was run."
    )


def test_the_demo_is_hinted_at_if_it_has_what_is_missing(hook, tmp_path):
    demo = tmp_path / "data/demo/05_model_input/splits.json"
    catalog = catalog_at(tmp_path, "splits")
    demo.parent.mkdir(parents=True)
    demo.write_text("{}")
    with pytest.raises(InputError, match="or give --env demo: the demo has made them"):
        hook.before_pipeline_run(pipelines["promote"], catalog)


def test_a_reader_of_the_registry_needs_nothing_trained_here(project_path, tracking_uri, tmp_path):
    hook = InputHook()
    uri = "models:/leukoscope@champion"
    hook.after_context_created(open_context(project_path, env="base", reader={"model_uri": uri}))
    catalog = catalog_at(tmp_path, "trained_models", "calibrations", "evaluated_predictions", "evaluated_features")
    hook.before_pipeline_run(pipelines["reader"], catalog)


def test_what_need_not_be_there_is_not_asked_for(hook, tmp_path):
    missing = {"type": "leukoscope.datasets.JSONDataset", "filepath": str(tmp_path / "none.json")}
    optional = {name: OptionalDataset(dataset=missing) for name in ("audit_table", "audit_verdict", "colour_baseline")}
    optional |= {f"{name}_result": OptionalDataset(dataset=missing) for name in ("resnet50", "vgg16")}
    hook.before_pipeline_run(pipelines["reporting"], DataCatalog(optional))


class TestBackend:
    def test_none_and_an_installed_one_pass(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        inputs.require_backend()
        (tmp_path / "keras.json").write_text(json.dumps({"backend": "tensorflow"}))
        inputs.require_backend()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"backend": "theano"}', "keras.json tells Keras to use 'theano'. Expected tensorflow, jax or torch"),
            ('{"backend": ', "keras.json cannot be read"),
            ("[]", "keras.json cannot be read"),
            ("\xff", "keras.json cannot be read"),
        ],
    )
    def test_a_wrong_file_is_named(self, monkeypatch, tmp_path, content, message):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        (tmp_path / "keras.json").write_bytes(content.encode("latin1"))
        with pytest.raises(InputError, match=message):
            inputs.require_backend()

    def test_one_that_is_not_installed_is_named_with_how_to_install_it(self, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        monkeypatch.setattr(inputs, "find_spec", lambda name: None)
        with pytest.raises(InputError, match=r"KERAS_BACKEND tells Keras to use torch.*pip install .*\[torch\]"):
            inputs.require_backend()
