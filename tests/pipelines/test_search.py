"""From the trials of a search to its table and the entry that it found; never by a test image."""

import re
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.models.base import Prediction
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.search import nodes, planning
from leukoscope.pipelines.search.options import SearchOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.study.planning import describe_material
from leukoscope.reporting.frame import Frame
from leukoscope.study import search
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from made_search import MadeTrials, make_ledger, run_search
from made_study import Packed, make_manifest

ENTRY = {"kind": "network", "architecture": "vgg16", "name": "vgg16", "label": "VGG", "training": {"epochs": 9}}
MODELS = {"vgg16": ENTRY | {"published": {"test_accuracy": 0.9}}}
SPACE = {
    "training.learning_rate": {"log": [1e-4, 1e-2]},
    "training.dropout": {"float": [0, 0.5]},
    "training.batch_size": {"choice": [16, 32]},
    "training.warmup_epochs": {"int": [0, 3]},
    "augmentation.stain": {"float": [0.1, 0.3]},
}
FRAME = Frame("Our smears", "drawn smears", "2026-01-02", "demo", ("comparison.html",), {"leukoscope": "0"})


@pytest.fixture
def manifest(splits):
    return make_manifest(splits)


@pytest.fixture
def plan(manifest):
    def make(models=MODELS, splitting=None, recipe=None, augmentation=None, data=None, size=32, **facts):
        search = SearchOptions(**({"entry": "vgg16", "trials": 6, "pruner": "none", "space": SPACE} | facts))
        augmentation = augmentation or AugmentationOptions()
        setting = planning.describe_search(
            search, models, recipe or Recipe(weights="none"), augmentation, CellOptions()
        )
        data = manifest if data is None else data
        splitting = splitting or SplittingOptions()
        images = describe_material(data, None, Packed(size), None)
        return planning.plan_search(search, setting, splitting, ["a", "b"], 1, images), setting

    return make


def run_made(made, root, **options):
    ledger = make_ledger(root)
    return run_search(made, ledger, MadeTrials(ledger, **options))


class Trading(MadeTrials):
    """Trials of which none is better than another in two figures."""

    def make(self, trial):
        self._scores = {"validation_loss": trial.number, "grey": trial.number / 10}
        return super().make(trial)


def run_trading(made, root):
    ledger = make_ledger(root)
    return run_search(made, ledger, Trading(ledger))


class Watched:
    """A classifier that remembers which images it was shown: each is told by its first pixel."""

    fingerprint = "model"

    def __init__(self, splits: pd.DataFrame) -> None:
        self.trained_on, self.seen = fingerprint_table(splits), set()

    def predict(self, pixels, rows=None, batch_size=64) -> Prediction:
        assert rows is None
        self.seen |= {image.tobytes() for image in pixels}
        return Prediction(np.tile([0.25] * 4, (len(pixels), 1)), None)


def test_scores_are_of_validation_images_and_of_no_others(splits, smears, class_names):
    splits = splits.assign(split=np.resize(["train", "validation", "test", "train"], len(splits)))
    rng = np.random.default_rng(1)
    smears.pixels = rng.integers(0, 256, smears.pixels.shape, dtype=np.uint8)
    classifier = Watched(splits)
    scored = nodes.score_validation(classifier, smears, splits, class_names, EvaluationOptions(), SplittingOptions(), 1)
    of = {name: smears.rows(table["image_id"]) for name, table in splits.groupby("split")}
    assert {smears.pixels[row].tobytes() for row in of["validation"]} <= classifier.seen
    assert len(classifier.seen) == 2 * len(of["validation"])  # as they are, and in grey
    assert not classifier.seen & {smears.pixels[row].tobytes() for row in of["test"]}
    assert scored["model"] == "model"
    assert scored["scores"]["validation_loss"] == pytest.approx(np.log(4))
    assert scored["scores"]["worst_series"] is None
    with pytest.raises(InputError, match="saw other splits"):
        nodes.score_validation(
            classifier, smears, splits.iloc[1:], class_names, EvaluationOptions(), SplittingOptions(), 1
        )


def test_where_groups_are_series_the_worst_of_them_is_scored(splits, smears, class_names):
    """A classifier that always says the first class, of which all images of one series are."""
    validation = splits["split"] == "validation"
    right = splits["label"] == class_names[0]
    splits = splits.assign(group=np.where(validation & right, "run 1", "run 2"))
    classifier = Watched(splits)
    given = classifier, smears, splits, class_names, EvaluationOptions()
    scores = nodes.score_validation(*given, SplittingOptions(group_by="series"), 1)["scores"]
    assert scores["worst_series"] == 0
    assert scores["validation_accuracy"] == right[validation].mean() > 0


def test_neither_the_search_nor_its_trials_take_what_is_known_of_test_images(project_path):
    bootstrap_project(project_path)
    trial = nodes.list_trial_nodes("resnet50")
    made = (pipelines["train_resnet50"] + pipelines["validation"]).filter(node_names=trial)
    judged = {name for node in pipelines["evaluation"].nodes for name in node.outputs}
    judged |= {name for node in pipelines["train_resnet50"].nodes for name in node.outputs if "features" in name}
    assert "resnet50.predictions" in judged
    assert not judged & (made.datasets() | pipelines["search"].datasets())
    assert "resnet50.validation_scores" in made.outputs()
    assert "manifest" not in made.all_outputs()  # ingested once, by the search


def test_the_table_has_a_row_a_trial(plan, tmp_path):
    made, _ = plan()
    study = run_made(made, tmp_path, failing=lambda trial: "no memory" if trial.number == 2 else None)
    table = nodes.tabulate_trials(study, made)
    assert table["trial"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["state"].tolist() == ["finished", "failed", *["finished"] * 4]
    assert table["reason"][1] == "no memory"
    assert table.loc[table["best"], "validation_loss"].item() == table["validation_loss"].min()
    assert table["training.batch_size"].isin([16, 32]).all()
    finished = table[table["state"] == "finished"]
    assert (finished["epochs"] == 2).all()
    assert (finished["seconds"] == 2).all()
    assert finished["run"].str.fullmatch("holdout/runs/[0-9a-f]{12}").all()
    assert list(table.columns[4:6]) == ["validation_loss", "validation_accuracy"]
    assert nodes.require_ended(table, "best") == "5 of 6 trials finished."


def test_the_best_is_an_entry_with_the_differences_of_before(plan, tmp_path):
    made, setting = plan()
    study = run_made(made, tmp_path)
    written = nodes.choose_best(study, made, setting)
    assert "kedro run --pipelines train_vgg16_tuned" in written
    models = yaml.safe_load(written)["models"]
    entry = models["vgg16_tuned"]
    assert set(models) == {"vgg16_tuned"}
    assert set(entry) == {"kind", "architecture", "default", "training", "augmentation"}
    assert entry["training"]["epochs"] == 9
    best = {name.split(".")[1]: value for name, value in study.best_params.items()}
    assert {**entry["training"], **entry["augmentation"]} == best | {"epochs": 9}
    tuned = ModelOptions.model_validate(entry | {"name": "vgg16_tuned"})
    assert tuned.resolve(Recipe()).learning_rate == study.best_params["training.learning_rate"]


def test_a_front_is_several_entries(plan, tmp_path):
    made, setting = plan(objective="validation_loss|grey")
    study = run_trading(made, tmp_path)
    models = yaml.safe_load(nodes.choose_best(study, made, setting))["models"]
    assert set(models) == {f"vgg16_tuned_{number}" for number in range(1, 7)}
    assert nodes.tabulate_trials(study, made)["best"].all()


def test_where_no_trial_finished_there_is_a_table_and_an_error_with_the_reason(plan, tmp_path):
    made, setting = plan()
    study = run_made(made, tmp_path, failing=lambda trial: "no memory.")
    assert yaml.safe_load(nodes.choose_best(study, made, setting)) is None
    table = nodes.tabulate_trials(study, made)
    assert len(nodes.draw_search(table, study, made)) == 2
    with pytest.raises(InputError, match=r"No trial of 6 finished: no memory\. Mend"):
        nodes.require_ended(table, "best")


def test_what_determines_a_trial_is_in_its_identity(plan, manifest):
    usual, _ = plan()
    assert usual.name == plan()[0].name
    assert usual.identify({"training.dropout": 0.1}) == plan()[0].identify({"training.dropout": 0.1})
    assert usual.identify({"training.dropout": 0.1}) != usual.identify({"training.dropout": 0.2})
    assert usual.identify({"training.dropout": 0.1}) == plan(objective="grey")[0].identify({"training.dropout": 0.1})
    others = [
        plan(models={"vgg16": ENTRY | {"training": {"epochs": 5}}})[0],
        plan(recipe=Recipe(weights="none", clip_norm=1.0))[0],
        plan(augmentation=AugmentationOptions(grey=0.1))[0],
        plan(splitting=SplittingOptions(fold="1 of 5"))[0],
        plan(data=manifest.iloc[1:])[0],
        plan(data=manifest.assign(group="one"))[0],
        plan(size=64)[0],
    ]
    assert len({made.identify({}) for made in [usual, *others]}) == 8
    searches = [plan(objective="grey")[0], plan(space={"training.dropout": {"float": [0, 0.2]}})[0]]
    assert len({made.name for made in [usual, *others, *searches]}) == 10
    assert plan(trials=50)[0].name == usual.name
    # A label is of no consequence.
    assert plan(models={"vgg16": ENTRY | {"label": "other"}})[0].name == usual.name


def test_the_most_epochs_are_those_of_the_recipe_or_of_the_space(plan):
    assert plan()[0].epochs == 9
    assert plan(space={"training.epochs": {"int": [3, 20]}})[0].epochs == 20


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"training.input_size": {"choice": [64, 8]}}, "training.input_size=8, which the recipe of vgg16 refuses"),
        ({"training.weights": {"choice": ["none", "nowhere.h5"]}}, "There is no weights file 'nowhere.h5'"),
        ({"training.trainable": {"choice": ["all", "block99"]}}, "training.trainable=block99"),
        ({"training.warmup_epochs": {"int": [0, 9]}}, "must be less than epochs, 9"),
        (
            {"training.warmup_epochs": {"int": [0, 4]}, "training.epochs": {"int": [3, 10]}},
            "training.warmup_epochs=4, training.epochs=3",
        ),
    ],
)
def test_values_that_the_recipe_would_refuse_are_told_at_once(space, words):
    search = SearchOptions(entry="vgg16", space=space)
    with pytest.raises(InputError) as told:
        planning.require_search(search, MODELS, Recipe(weights="none"), AugmentationOptions(), SplittingOptions())
    assert words in told.value.message
    assert "Nothing was run" in told.value.message


@pytest.fixture
def page(plan, tmp_path, manifest):
    """Write the page of a made search, in plain words."""

    def write(run=run_made, **options):
        facts = {name: options.pop(name) for name in ("objective", "trials", "space") if name in options}
        made, setting = plan(**facts)
        study = run(made, tmp_path, **options)
        text = nodes.write_search(study, made, setting, manifest, FRAME)
        assert "src=" not in text
        assert "<link" not in text
        return " ".join(re.sub(r"<(style|svg)[\s\S]*?</\1>|<[^>]+>", " ", text).split()), study

    return write


def test_the_page_has_the_best_the_space_each_trial_and_what_its_figure_is_worth(page):
    words, study = page()
    best = study.best_trial.number + 1
    assert "A search for VGG" in words
    assert "6 of 6 trials have ended: 6 finished, 0 pruned, 0 failed." in words
    assert f"the best of 6 {study.best_value:.3f} trial {best}" in words
    assert "training.learning_rate 0.0001 to 0.01, on a logarithmic scale" in words
    assert "training.batch_size one of 16, 32" in words
    assert "training.warmup_epochs 0 to 3, whole numbers" in words
    assert "It is the best of 6 trainings by the same validation images" in words
    assert "conf/local/parameters_search_best.yml" in words
    assert "kedro run --pipelines train_vgg16_tuned" in words
    assert f"{best} finished , best" in words or f"{best} finished, best" in words
    assert "epochs of a trial at most 9 pruner none" in words
    assert "Drawn data" in words
    assert "The search has not finished" not in words
    head, glossary = words.split("Our smears"), words.split("Glossary")
    assert head[1].startswith(
        " &middot; drawn smears &middot; written 2026-01-02 &middot; environment demo The best of 6"
    )
    assert "which is optimistic; no test image was used" in head[1]
    assert "Models compared" in head[1]
    assert "stain-colour baseline" in glossary[-1]


def test_the_page_of_a_search_that_failed_has_the_reasons(page):
    words, _ = page(failing=lambda trial: "no <memory>")
    assert "6 of 6 trials failed." in words
    assert "trial 3: no &lt;memory&gt;" in words
    assert "No trial has finished" in words
    assert "to continue, raise search.trials and run kedro run --pipelines search" in words


def test_there_is_a_page_after_each_trial_so_that_one_that_is_cut_off_has_one(plan, tmp_path, manifest):
    made, setting = plan()
    ledger, pages = make_ledger(tmp_path), []
    cut = search.run_search(made, ledger, MadeTrials(ledger, stop_in=3))
    with suppress(KeyboardInterrupt):
        for study in cut:
            pages.append(nodes.write_search(study, made, setting, manifest, FRAME))
    assert [f"{number} of 6 trials have ended" in text for number, text in enumerate(pages)] == [True] * 3
    assert all("The search has not finished" in text for text in pages)


def test_the_node_gives_the_page_with_each_trial(plan, tmp_path, manifest, monkeypatch):
    made, setting = plan(trials=2)
    ledger = make_ledger(tmp_path)
    monkeypatch.setattr("leukoscope.study.trials.TrialProcesses", lambda *given: MadeTrials(ledger))
    monkeypatch.setattr("leukoscope.core.session.get_session", lambda: None)
    monkeypatch.setattr(nodes, "list_trial_nodes", lambda entry: [])
    given = made, ledger, SearchOptions(entry="vgg16"), setting, manifest, FRAME, None
    shown = [page for _, page in nodes.run_trials(*given)]
    assert [f"{number} of 2 trials have ended" in page for number, page in enumerate(shown)] == [True] * 3


def test_a_front_is_a_table_of_settings_and_a_command_each(page):
    words, _ = page(run=run_trading, objective="validation_loss|grey")
    assert "No other trial is as good as one of these in every objective" in words
    assert all(f"kedro run --pipelines train_vgg16_tuned_{number}" in words for number in range(1, 7))
    assert "Each is one of the best of 6 trainings" in words
    assert "pruner none, because there are several objectives" in words
