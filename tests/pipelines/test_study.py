"""From the units of a study to its tables and its page."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from leukoscope.core.errors import InputError
from leukoscope.datasets import PartitionedDataset
from leukoscope.evaluation.confirmation import Setting, find_changes, fingerprint_recipe, fingerprint_splitting
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.search.options import SearchOptions
from leukoscope.pipelines.splitting.nodes import assign_splits, group_images
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.study import nodes, planning
from leukoscope.pipelines.study.options import StudyOptions
from leukoscope.reporting.frame import Frame
from leukoscope.training.recipe import Recipe
from made_study import MadeUnits, Packed, make_manifest, plan_made, run_made

OPTIONS = EvaluationOptions(resamples=30)
MODELS = {
    name: {"kind": "network", "architecture": name, "name": name, "label": f"Model {name}"}
    for name in ("vgg16", "resnet50")
}
FRAME = Frame("Our smears", "drawn smears", "2026-01-02", "demo", ("comparison.html", "vgg16/report.html"))
FRAME = FRAME._replace(provenance={"leukoscope": "0", "python": "3"})


@pytest.fixture
def manifest(splits):
    return make_manifest(splits)


@pytest.fixture
def study(tmp_path, manifest, class_names):
    """Run a made study, and make all tables of it."""

    def run(plan=None, **options):
        accuracy = {"vgg16": 0.95, "resnet50": 0.6, "mobilenet_v2": 0.6}
        units = MadeUnits(tmp_path / "06_models", manifest, class_names, accuracy, **options)
        outcomes, ledger = run_made(tmp_path / "06_models", units, plan or plan_made())
        table = nodes.tabulate_units(outcomes, ledger)
        pooled, kept = nodes.pool_units(outcomes, ledger)
        assert all(kept[name] is pooled.get(name) for name in kept)
        assert set(kept) == set(table["model"])
        judged = nodes.judge_study(pooled, table, OPTIONS, class_names, 1)
        differences = nodes.compare_study(pooled, OPTIONS, SplittingOptions(), manifest, 1)
        histories = nodes.gather_histories(outcomes, ledger)
        return nodes.gather_study(judged, table, differences, pooled, histories)

    return run


def test_every_image_is_tested_once_with_each_seed(study, splits):
    tables = study()
    for pooled in tables.predictions.values():
        assert pooled.groupby("seed")["image_id"].nunique().tolist() == [160] * 3
        assert len(pooled) == 480
        runs = tables.units.set_index(["seed", "fold", "run"]).index
        assert set(pooled[["seed", "fold", "run"]].itertuples(index=False, name=None)) <= set(runs)
    assert set(tables.predictions) == {"vgg16", "resnet50"}


def test_a_model_without_a_whole_seed_keeps_no_predictions_of_an_earlier_study(tmp_path, manifest, class_names):
    units = MadeUnits(tmp_path, manifest, class_names, {"vgg16": 0.9}, failing=lambda unit: "why")
    outcomes, ledger = run_made(tmp_path / "06_models", units, plan_made(seeds=1, entries=("vgg16",)))
    files = PartitionedDataset(
        path=str(tmp_path / "out"),
        filename_suffix="/study_out_of_fold.parquet",
        dataset={"type": "pandas.ParquetDataset"},
    )
    files.save({name: pd.DataFrame({"image_id": ["a"]}) for name in ("vgg16", "resnet50")})
    _, kept = nodes.pool_units(outcomes, ledger)
    files.save(kept)
    assert set(files.load()) == {"resnet50"}


def test_figures_are_means_over_seeds_with_intervals_and_spreads(study):
    tables = study()
    row = tables.models.set_index("model").loc["vgg16"]
    pooled = tables.predictions["vgg16"]
    by_seed = (pooled["label"] == pooled["predicted"]).groupby(pooled["seed"]).mean()
    assert row["accuracy"] == pytest.approx(by_seed.mean())
    assert row["accuracy_seed_sd"] == pytest.approx(by_seed.std(ddof=1))
    by_fold = tables.units[tables.units["model"] == "vgg16"].groupby("seed")["accuracy"].var(ddof=1)
    assert row["accuracy_fold_sd"] == pytest.approx(by_fold.mean() ** 0.5)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auc"):
        assert 0 < row[f"{name}_low"] < row[name] < row[f"{name}_high"] < 1
    assert (row["units"], row["failed"], row["folds"], row["seeds"], row["images"]) == (6, 0, 2, 3, 160)
    assert (row["seconds"], row["seconds_per_unit"]) == (12, 2)


def test_the_table_of_units_names_each_with_its_run(study):
    units = study().units
    assert len(units) == 12
    assert (units["state"] == "finished").all()
    assert units["run"].str.fullmatch(r"fold-[12]-of-2/runs/[0-9a-f]{12}").all()
    assert (units["epochs"] == 2).all()


def test_a_difference_over_three_seeds_is_real(study, manifest):
    (row,) = study().differences.itertuples()
    assert (row.first, row.second, row.seeds, row.images) == ("vgg16", "resnet50", 3, 160)
    assert row.low > 0.2
    assert row.shown
    assert row.real
    assert row.data == fingerprint_manifest(manifest)


def test_with_one_seed_it_is_said_that_other_seeds_are_not_known(study, caplog):
    tables = study(plan_made(seeds=1))
    (row,) = tables.differences.itertuples()
    assert row.shown
    assert not row.real
    assert "With one seed nothing can be said of other seeds" in caplog.text
    assert tables.models["accuracy_low"].isna().all()
    assert tables.models["accuracy_seed_sd"].isna().all()


def test_a_seed_with_a_failed_fold_is_left_out(study):
    plan = plan_made()
    failing = {plan.units[0]: "no memory"}
    tables = study(plan, failing=failing.get)
    row = tables.models.set_index("model").loc["vgg16"]
    assert (row["seeds"], row["failed"]) == (2, 1)
    assert tables.differences["seeds"].item() == 2
    assert not tables.differences["real"].item()
    failed = tables.units[tables.units["state"] == "failed"]
    assert failed["reason"].tolist() == ["no memory"]
    with pytest.raises(InputError, match=r"1 of 12 units failed, and all others ran: vgg16, fold 1 of 2, seed 1: no"):
        nodes.require_finished(tables.units, "page")


def test_a_model_with_one_whole_seed_takes_no_verdict_from_other_pairs(study, manifest, class_names):
    plan = plan_made(entries=("vgg16", "resnet50", "mobilenet_v2"))
    tables = study(plan, failing=lambda unit: "why" if unit.entry == "mobilenet_v2" and unit.seed != 2 else None)
    pairs = tables.differences.set_index(["first", "second"])
    assert pairs["which_seeds"].tolist() == ["1, 2, 3", "2", "2"]
    assert pairs["seeds"].tolist() == [3, 1, 1]
    assert pairs.loc[("vgg16", "resnet50"), "real"]
    models = MODELS | {"mobilenet_v2": MODELS["vgg16"] | {"name": "mobilenet_v2", "label": "Small"}}
    page = nodes.write_study(tables, [], manifest, FRAME, models, OPTIONS, class_names)
    assert "<td>1, 2, 3</td>" in page
    assert "Where there is one seed" in page


@pytest.mark.parametrize("seeds", [1, 3])
def test_models_are_held_against_stain_colour_over_all_seeds(study, manifest, class_names, seeds):
    tables = study(plan_made(seeds=seeds), colour=0.6)
    by_name = tables.models.set_index("model")
    row, pooled = by_name.loc["vgg16"], tables.predictions["vgg16"]
    assert row["colour_accuracy"] == pytest.approx(pooled["right_by_colour"].mean())
    assert row["gain_over_colour"] == pytest.approx(row["accuracy"] - row["colour_accuracy"])
    assert 0.1 < row["gain_over_colour_low"] < row["gain_over_colour"] < row["gain_over_colour_high"]
    assert by_name.loc["resnet50", "gain_over_colour_low"] < 0 < by_name.loc["resnet50", "gain_over_colour_high"]
    words = " ".join(render(tables, manifest, class_names).split())
    assert words.count("minus stain colour alone, which is learned") == 2


def test_a_study_of_which_some_seed_was_not_judged_by_colour_has_no_gain(study, manifest, class_names):
    study(plan_made(seeds=1))
    tables = study(plan_made(seeds=2), colour=0.6)
    assert tables.models["gain_over_colour"].isna().all()
    assert "right_by_colour" not in tables.predictions["vgg16"]
    assert "minus stain colour alone" not in render(tables, manifest, class_names)


def test_a_study_of_which_all_units_failed_still_has_tables_and_a_page(study, manifest, class_names):
    tables = study(failing=lambda unit: "a fault.")
    assert tables.differences.empty
    assert tables.models["accuracy"].isna().all()
    page = render(tables, manifest, class_names)
    assert "12 of 12 units failed" in page
    with pytest.raises(InputError, match="; and 9 more, which"):
        nodes.require_finished(tables.units, page)


def test_pairs_have_by_what_recipe_and_splitting_they_were_trained(study, manifest):
    pair = study().differences.iloc[0]
    key = {"architecture": "tiny", "recipe": {}, "seed": 2, "split": "holdout", "engine": {"backend": "jax"}}
    assert pair["first_recipe"] == pair["second_recipe"] == fingerprint_recipe(key)
    other = SplittingOptions(group_by="appearance", fold="1 of 2")
    pooled = study().predictions
    again = nodes.compare_study(pooled, OPTIONS, other, manifest, 1).iloc[0]
    assert again["splitting"] == fingerprint_splitting(other.model_copy(update={"fold": None}).facts)
    assert again["splitting"] != pair["splitting"]
    assert (pair["confidence"], pair["data"]) == (0.95, fingerprint_manifest(manifest))


def test_a_model_whose_seeds_were_trained_by_two_recipes_has_none(study, manifest):
    pooled = study().predictions
    mixed = pooled["vgg16"].assign(recipe=pooled["vgg16"]["seed"].map(str))
    pair = nodes.compare_study(pooled | {"vgg16": mixed}, OPTIONS, SplittingOptions(), manifest, 1).iloc[0]
    assert (pair["first_recipe"], len(pair["second_recipe"])) == ("", 16)


def choose(unit) -> dict:
    return {"training.dropout": unit.fold / 10, "training.patience": None}


def test_folds_that_chose_hyper_parameters_themselves_are_pooled_and_say_which(study, manifest, class_names):
    tables = study(choosing=choose)
    assert {len(pooled) for pooled in tables.predictions.values()} == {480}
    assert [json.loads(chosen) for chosen in tables.units["chosen"][:2]] == [
        {"training.dropout": fold / 10, "training.patience": None} for fold in (1, 2)
    ]
    (pair,) = tables.differences.to_dict("records")
    assert (pair["real"], pair["first_recipe"]) == (True, "searched")
    setting = Setting(pair["data"], pair["splitting"], 0.95, dict.fromkeys(("vgg16", "resnet50"), "0123"))
    assert find_changes(pair, setting) == [  # of a comparison of single trainings it says nothing
        f"the recipe of {name} (searched anew in each fold of the study)" for name in ("vgg16", "resnet50")
    ]
    page = render(tables, manifest, class_names)
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "No test image was used for it" in words
    assert "fold seed training.dropout training.patience 1 of 2 1 0.1 null 2 of 2 1 0.2 null" in words
    for nothing in ("", np.nan):  # as they were tabulated, and as their file gives them back
        without = tables._replace(units=tables.units.assign(chosen=nothing))
        assert "What each fold chose" not in render(without, manifest, class_names)


def test_folds_that_were_trained_otherwise_without_a_search_are_not_pooled(study, tmp_path):
    study(choosing=choose)
    for mark in tmp_path.glob("06_models/*/*/runs/*/unit.json"):
        mark.write_text(
            json.dumps({name: fact for name, fact in json.loads(mark.read_text()).items() if name != "chosen"})
        )
    with pytest.raises(InputError, match=r"were not made alike: fold 2 differs from fold 1 in training\.recipe"):
        study()


def test_what_a_search_within_folds_depends_on_is_in_the_identity_of_their_units(manifest):
    def identify(searched, **search):
        options = {"entries": "vgg16", "folds": 2, "seeds": 1, "search": searched}
        return plan(options, manifest=manifest, search=SearchOptions(**search)).units[0].identity

    assert identify("false") == identify(False) == identify("") == identify(False, trials=3)
    changes = (
        {},
        {"trials": 3},
        {"objective": "grey"},
        {"pruner": "none"},
        {"space": {"training.dropout": {"float": [0, 0.9]}}},
    )
    assert len({identify(False), *(identify("true", **change) for change in changes)}) == 6
    assert identify(True) == identify("vgg16") == identify(["vgg16"]) == identify(True, entry="resnet50")


def test_a_finished_study_ends_well(study):
    assert nodes.require_finished(study().units, "page") == "The study is finished, all of 12 units."


def render(tables, manifest, class_names, evaluations=()) -> str:
    return nodes.write_study(tables, list(evaluations), manifest, FRAME, MODELS, OPTIONS, class_names)


def test_the_page_has_curves_matrices_differences_costs_and_failures(study, manifest, class_names):
    plan = plan_made(seeds=4)
    tables = study(plan, failing={plan.units[0]: "no <memory>"}.get)
    data = fingerprint_manifest(manifest)
    looks = [
        {"data": data, "test": "one", "model_fingerprint": "a"},
        {"data": data, "test": "one", "model_fingerprint": "b"},
        {"data": data, "test": "two", "model_fingerprint": "a"},
        {"data": "other", "test": "three", "model_fingerprint": "c"},
    ]
    page = render(tables, manifest, class_names, looks)
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert page.count("<svg") == 5  # estimates, differences, curves, two matrices
    assert "1 of 16 units failed." in words
    assert "Model vgg16, fold 1 of 2, seed 1: no &lt;memory&gt;" in words
    assert "Model vgg16 minus Model resnet50" in words
    assert re.search(r"\breal\b", words)
    assert (
        "2 trained models have been evaluated on test images of this data set so far, on 2 test sets, at most 2"
        in words
    )
    assert "Drawn data" in words
    verdict = page.split('<p class="verdict">')[1].split("</p>")[0]
    assert f"{tables.models['accuracy'].max():.3f}" in verdict
    assert 'href="comparison.html"' in page
    assert '<a href="vgg16/report.html">Model vgg16</a>' in page
    assert 'href="resnet50/report.html"' not in page
    assert "src=" not in page
    assert "<link" not in page


def test_images_of_which_one_seed_lacks_some_are_compared_on_those_that_all_have(study, class_names):
    """By series, images near a test block are in no split, and other ones with another seed."""
    from leukoscope.study.pairs import align

    pooled = study().predictions
    first = pooled["vgg16"]
    lacking = first[~((first["seed"] == 2) & (first["image_id"] == first["image_id"].iloc[0]))]
    (one, other), seeds = align([lacking, pooled["resnet50"]])
    assert seeds == [1, 2, 3]
    assert one["image_id"].tolist() == other["image_id"].tolist()
    assert len(one) == 3 * 159


def plan(
    study,
    models=MODELS,
    *,
    splitting=None,
    evaluation=OPTIONS,
    manifest=None,
    group_table=None,
    size=32,
    cells=CellOptions(),  # noqa: B008
    search=SearchOptions(),  # noqa: B008
):
    options, splitting = StudyOptions(**study), splitting or SplittingOptions()
    entries = planning.describe_entries(options, models, Recipe(), AugmentationOptions(), cells, evaluation, search)
    images = planning.describe_material(manifest, group_table, Packed(size), None)
    return planning.plan_study(options, entries, images, splitting, ["a", "b"], 1)


def test_what_determines_a_unit_is_in_its_identity(manifest):
    def identify(**more):
        return plan({"entries": "vgg16", "folds": 2, "seeds": 1}, manifest=manifest, **more).units[0].identity

    usual = identify()
    assert usual == identify()
    longer = {"vgg16": MODELS["vgg16"] | {"training": {"epochs": 7}}}
    table = pd.DataFrame({"image_id": manifest["image_id"], "group": "g"})
    others = [
        identify(models=longer),
        identify(splitting=SplittingOptions(group_by="appearance")),
        identify(evaluation=EvaluationOptions(prevalence=0.3)),
        identify(group_table=table),
        plan({"entries": "vgg16", "folds": 2, "seeds": 1}, manifest=manifest.iloc[1:]).units[0].identity,
    ]
    assert len({usual, *others}) == 6
    # A label is of no consequence.
    assert usual == identify(models={"vgg16": MODELS["vgg16"] | {"label": "other"}})


def test_so_are_the_size_of_images_and_which_of_them_are_duplicates(manifest):
    def identify(manifest, size=32):
        chosen = {"entries": "vgg16", "folds": 2, "seeds": 1}
        return plan(chosen, manifest=manifest, size=size).units[0].identity

    twins = manifest.assign(group=manifest["group"].where(manifest.index != 1, manifest["group"][0]))
    assert len({identify(manifest), identify(manifest, size=64), identify(twins)}) == 3


CRAFTED = {"kind": "crafted", "name": "vgg16", "classifier": "knn", "features": ["shape"]}


@pytest.mark.parametrize(
    ("model", "formats"),
    [
        (MODELS["vgg16"], ["images.packed.PACKED_FORMAT"]),
        (CRAFTED, ["images.packed.PACKED_FORMAT", "training.crafted.CRAFTED_FORMAT", "features.fields.FORMAT"]),
        (
            CRAFTED | {"cells": "found"},
            [
                "images.packed.PACKED_FORMAT",
                "training.crafted.CRAFTED_FORMAT",
                "cells.measuring.FORMAT",
                "cells.classical.FORMAT",
            ],
        ),
    ],
)
def test_so_are_the_formats_that_the_keys_of_trainings_have(manifest, monkeypatch, model, formats):
    def identify():
        return plan({"entries": "vgg16", "folds": 2, "seeds": 1}, {"vgg16": model}, manifest=manifest).units[0].identity

    usual = identify()
    for place in formats:
        with monkeypatch.context() as changed:
            changed.setattr(f"leukoscope.{place}", 99)
            assert identify() != usual, place


@pytest.mark.parametrize("model", [CRAFTED | {"cells": "found"}, {"kind": "cells", "architecture": "vgg16"}])
def test_how_cells_are_found_is_in_the_identity_of_whatever_reads_them(manifest, model):
    def identify(model, cells):
        models = {"vgg16": model | {"name": "vgg16"}}
        return plan({"entries": "vgg16", "folds": 2, "seeds": 1}, models, manifest=manifest, cells=cells).units[0]

    ways = [CellOptions(), CellOptions(diameter=20.0)]
    assert len({identify(model, way) for way in ways}) == 2
    assert len({identify(CRAFTED, way) for way in ways}) == 1


def test_folds_that_were_not_made_alike_are_told_with_what_they_differ_in(tmp_path, manifest, class_names):
    home = tmp_path / "06_models"
    units = MadeUnits(home, manifest, class_names, {"vgg16": 0.9})
    outcomes, ledger = run_made(home, units, plan_made(seeds=1, entries=("vgg16",)))
    (facts,) = home.glob("vgg16/fold-2-of-2/runs/*/evaluation/facts.json")
    facts.write_text(facts.read_text().replace('"accepted": 160', '"accepted": 161'))
    with pytest.raises(InputError, match=r"vgg16 with seed 1 .*fold 2 differs from fold 1 in images\.accepted\."):
        nodes.pool_units(outcomes, ledger)


def test_more_folds_than_a_class_has_groups_are_refused_before_any_unit_runs(manifest, smears):
    with pytest.raises(InputError):
        planning.require_folds(plan_made(folds=50), manifest, None, smears, SplittingOptions())
    good = plan_made(folds=3)
    assert planning.require_folds(good, manifest, None, smears, SplittingOptions()) is good


def test_a_middle_fold_that_leaves_no_image_to_train_is_refused_too(smears):
    """By series an embargo lies on both sides of a test block in the middle, and on one side of the first."""
    names = [(f"{label} ({number}).png", label) for label in ("Benign", "Malignant") for number in range(1, 101)]
    table = pd.DataFrame(names, columns=["name", "label"])
    manifest = make_manifest(table.assign(image_id=table["label"] + "/" + table["name"]))
    splitting = SplittingOptions(group_by="series", embargo=37, validation_embargo=0)
    first = splitting.model_copy(update={"fold": "1 of 3"})
    assign_splits(group_images(manifest, None, smears, first, 1), first, 1)
    with pytest.raises(InputError, match="no image left for train"):
        planning.require_folds(plan_made(folds=3), manifest, None, smears, splitting)


@pytest.mark.parametrize("values", [{"folds": 1}, {"seeds": 0}, {"fold": 5}])
def test_wrong_options_are_refused(values):
    with pytest.raises(ValidationError):
        StudyOptions(**values)


def test_entries_stand_in_one_string_on_the_command_line():
    assert StudyOptions(entries="resnet50|vgg16").entries == ("resnet50", "vgg16")
