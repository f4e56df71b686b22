"""From the folders of a model's trainings to pooled figures, and one line for what is incomplete."""

import logging
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.commands import set_environment
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.datasets import EvaluationRecordsDataset
from leukoscope.evaluation.folds import list_sets
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.evaluation.records import EvaluationRecord
from leukoscope.hooks.state import ABSENT, describe_content
from leukoscope.pipelines.collect.nodes import collect_runs
from leukoscope.pipelines.cross_validation import nodes
from leukoscope.pipelines.cross_validation.options import CrossValidationOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.evaluation.records import keep_evaluation
from leukoscope.pipelines.splitting.nodes import assign_splits
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.runs import TrainingRuns
from named_columns import list_unnamed

KEY = {"architecture": "tiny", "recipe": {"epochs": 2}, "format": 1, "engine": {"backend": "tensorflow"}}


@pytest.fixture
def manifest(splits) -> pd.DataFrame:
    """All accepted but one; the first two images are copies."""
    ids = [*splits["image_id"], "Pro/none"]
    table = pd.DataFrame({"image_id": ids, "label": [*splits["label"], "Pro"], "group": ids, "sha256": ids})
    table.loc[1, "group"] = table.loc[0, "group"]
    return table.assign(status=["accepted"] * len(splits) + ["unreadable"])


@pytest.fixture
def home(tmp_path):
    return tmp_path / "vgg16"


@pytest.fixture
def train(manifest, home, class_names):
    """Train and evaluate a fold, as far as cross-validation sees it; gives the record that was kept."""

    def run(
        fold: str | None, seed: int = 1, wrong: int = 0, epochs: int = 2, wrong_by_colour: int | None = 4
    ) -> EvaluationRecord:
        splitting = SplittingOptions(fold=fold)
        images = manifest[manifest["status"] == "accepted"]
        made = assign_splits(images, splitting, seed)
        key = KEY | {"recipe": {"epochs": epochs}, "seed": seed, "splits": fold, "split": splitting.split_name}
        journal = TrainingRuns(home).start(key).journal
        journal.finish({"epochs": 2}, lambda path: path.touch())
        journal.record_model(f"{fold} {seed} {epochs}")
        right = pd.Index(class_names).get_indexer(made["label"])
        tests = np.flatnonzero(made["split"] == "test")
        right[tests[:wrong]] = (right[tests[:wrong]] + 1) % 4
        table = made[["image_id", "split", "label"]].reset_index(drop=True)
        predictions = table.join(tabulate_probabilities(0.1 + 0.6 * np.eye(4)[right], class_names))
        metrics = dict.fromkeys(
            ("test_accuracy", "test_balanced_accuracy", "test_macro_f1", "test_auc"), 1 - wrong / len(tests)
        )
        features = pd.DataFrame({"model": [journal.model]})
        errors = table["image_id"].iloc[tests[::-1][: wrong_by_colour or 0]].tolist()
        colour = {"splits": fingerprint_table(made), "errors": errors}
        if wrong_by_colour is None:
            colour["splits"] = "those of another fold"
        record = keep_evaluation(
            predictions,
            metrics,
            features,
            made,
            manifest,
            class_names=class_names,
            splitting=splitting,
            colour_baseline=colour,
            seed=seed,
        )
        EvaluationRecordsDataset(filepath=str(home / "current")).save(record)
        return record

    return run


def select(home, seed: int = 1, **options):
    runs = collect_runs({"vgg16": {}}, EvaluationRecordsDataset(filepath=str(home / "current")).load())
    return nodes.select_folds(runs, CrossValidationOptions(**options), SplittingOptions(), seed)


def test_three_folds_leave_three_trainings_that_are_pooled(home, train, caplog):
    for number in (1, 2, 3):
        train(f"{number} of 3", wrong=number - 1)
    assert len(list(home.glob("fold-*-of-3/runs/*/evaluation/predictions.parquet"))) == 3
    folds = select(home)
    pooled = nodes.pool_folds(folds)["vgg16"]
    assert len(pooled) == pooled["image_id"].nunique() == 160
    assert set(pooled["fold"]) == {1, 2, 3}
    figures = nodes.tabulate_folds(folds)
    sizes = figures["images"].to_numpy()
    assert sizes.sum() == 160
    assert figures["accuracy"].tolist() == [1.0, 1 - 1 / sizes[1], 1 - 2 / sizes[2]]
    with caplog.at_level(logging.INFO):
        table = nodes.judge_folds(folds, figures, EvaluationOptions(resamples=20), 1)
    for name, made in {"out_of_fold": pooled, "fold_figures": figures, "cross_validation": table}.items():
        assert list_unnamed(name, made) == []
    row = table.iloc[0]
    assert (row["model"], row["folds"], row["images"], row["groups"], row["error_groups"]) == (
        "vgg16",
        3,
        160,
        159,
        3,
    )
    assert row["accuracy"] == pytest.approx(157 / 160)
    assert row["accuracy_low"] < 157 / 160 < row["accuracy_high"]
    assert row["accuracy_fold_mean"] == pytest.approx(figures["accuracy"].mean())
    assert len(row["trainings"].split()) == 3
    assert "vgg16, 3 folds pooled: accuracy 0.981 (" in caplog.text
    assert "on 160 images of 159 groups" in caplog.text
    assert row["colour_accuracy"] == pytest.approx(148 / 160)
    right = pooled.assign(right=pooled["right_by_colour"].astype(float)).groupby("label")["right"].mean()
    assert row["colour_balanced_accuracy"] == pytest.approx(right.mean())
    assert row["gain_over_colour"] == pytest.approx(9 / 160)
    assert 0 < row["gain_over_colour_low"] < 9 / 160 < row["gain_over_colour_high"]
    assert row["gain_over_colour_p"] < 0.05
    assert "Stain colour alone, on the same images: 0.925; the difference is 0.056 (" in caplog.text
    assert nodes.draw_folds(table, figures).axes[0].get_yticklabels()[0].get_text() == "vgg16"


def test_where_a_fold_does_not_know_what_colour_says_nothing_is_held_against_it(home, train, caplog):
    for number in (1, 2, 3):
        train(f"{number} of 3", wrong_by_colour=None if number == 2 else 0)
    folds = select(home)
    assert "right_by_colour" not in nodes.pool_folds(folds)["vgg16"]
    figures = nodes.tabulate_folds(folds)
    with caplog.at_level(logging.INFO):
        table = nodes.judge_folds(folds, figures, EvaluationOptions(resamples=20), 1)
    assert table.filter(like="colour").iloc[0].isna().all()
    assert "is not known of every fold: run each fold again" in caplog.text
    nodes.draw_folds(table, figures)


def test_a_command_takes_back_what_the_other_folds_did_not_have(home, train):
    train("1 of 3")
    present = SplittingOptions(group_by="series", validation_embargo=0)
    (same,) = list_sets("vgg16", EvaluationRecordsDataset(filepath=str(home / "current")).load())
    command = nodes._name_command(same, 3, present, 1)
    assert "splitting.validation_embargo=null" in command
    assert "splitting.group_by=duplicate" in command


def test_a_record_has_test_images_only_with_groups_copies_and_the_key(home, train, manifest):
    train("1 of 3")
    (record,) = EvaluationRecordsDataset(filepath=str(home / "current")).load()
    assert record.facts["key"] == TrainingRuns(home).find_current().key
    assert (record.fold, record.facts["accepted"], record.facts["seed"]) == ((1, 3), 160, 1)
    assert record.place == TrainingRuns(home).find_current().folder.relative_to(home).as_posix()
    copies = record.predictions.set_index("image_id")["copies"]
    assert copies.to_dict() == manifest.set_index("image_id")["group"].loc[copies.index].to_dict()
    assert len(record.predictions) < 80


def test_missing_folds_are_named_with_the_command_for_each(home, train):
    train("2 of 3")
    with pytest.raises(InputError) as caught:
        select(home)
    assert str(caught.value) == (
        "Of 3 folds of vgg16, there is no evaluation of 1, 3 by the same recipe, seed and images. Run "
        '`kedro run --pipelines train_vgg16 --params "splitting.fold=1 of 3"` and '
        '`kedro run --pipelines train_vgg16 --params "splitting.fold=3 of 3"`, with the parameters of the others.'
    )


def test_another_seed_is_told_and_the_command_has_the_right_one(home, train):
    train("3 of 3", seed=2)
    for number in (1, 2):
        train(f"{number} of 3", seed=1)
    with pytest.raises(
        InputError, match=r"no evaluation of 3 .*\(fold 3 has another images.seed, training.seed\)"
    ) as caught:
        select(home, seed=2)
    assert '--params "splitting.fold=3 of 3,seed=1"' in str(caught.value)


def test_the_command_is_for_the_environment_of_the_run(home, train):
    train("2 of 2")
    set_environment("demo")
    try:
        with pytest.raises(InputError, match="train_vgg16 --env demo --params"):
            select(home)
    finally:
        set_environment(None)


def test_no_fold_at_all_is_told(home, train):
    train(None)
    with pytest.raises(InputError, match=r"No model was trained on folds.*`kedro run --pipelines train_vgg16 --params"):
        select(home)
    with pytest.raises(InputError, match="vgg16 was trained on no fold"):
        select(home, models="vgg16")


def test_the_newest_whole_set_is_taken_and_a_newer_part_of_one_is_told(home, train, caplog):
    for epochs in (2, 3):
        for number in (1, 2):
            train(f"{number} of 2", epochs=epochs)
    train("1 of 2", epochs=4)
    files = home.glob("*/runs/*/evaluation/facts.json")
    for number, file in enumerate(sorted(files, key=lambda path: path.stat().st_mtime_ns)):
        os.utime(file, (number, number))
    same = select(home)["vgg16"]
    assert same.facts["key"]["recipe"] == {"epochs": 3}
    assert (
        "no evaluation of 2 by the same recipe, seed and images (fold 2 has another training.recipe.epochs)"
        in caplog.text
    )
    assert "An older set of folds is whole, and is used" in caplog.text


@pytest.mark.parametrize("file", ["facts.json", "metrics.json", "predictions.parquet"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "folder"])
def test_an_evaluation_that_is_not_whole_is_told_in_a_line(home, train, file, damage):
    train("1 of 2")
    train("2 of 2")
    (path,) = home.glob(f"fold-2-of-2/runs/*/evaluation/{file}")
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(
        InputError, match=rf"The evaluation in {path.parent} is not whole: .*Remove that folder"
    ) as caught:
        select(home)
    assert '`kedro run --pipelines train_vgg16 --params "splitting.fold=2 of 2"`' in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_evaluation_is_kept_with_the_training_that_gave_the_model(home, train, caplog):
    """Not with the one that was started last, which may have been killed before it gave one."""
    record = train("1 of 2")
    first = TrainingRuns(home).find_current().folder
    TrainingRuns(home).start(KEY | {"seed": 9, "split": "holdout"})
    dataset = EvaluationRecordsDataset(filepath=str(home / "current"))
    assert not dataset.exists()
    changed = replace(record, metrics=record.metrics | {"test_accuracy": 0.5})
    dataset.save(changed)
    assert [one.metrics["test_accuracy"] for one in dataset.load()] == [0.5]
    assert dataset.load()[0].place == first.relative_to(home).as_posix()
    dataset.save(replace(record, facts=record.facts | {"model": "of an earlier version"}))
    assert "The evaluation of vgg16 is not kept for cross-validation" in caplog.text
    assert len(dataset.load()) == 1


def test_what_is_kept_of_evaluations_is_told_by_their_files(home, train):
    """So that the command is run again where another fold was evaluated."""
    dataset = EvaluationRecordsDataset(filepath=str(home / "current"))
    train("1 of 2")
    one = describe_content(dataset)
    train("2 of 2")
    two = describe_content(dataset)
    next(home.glob("fold-1-of-2/runs/*/evaluation/metrics.json")).write_text("{}")
    assert len({ABSENT, one, two, describe_content(dataset)}) == 4


def test_nothing_was_trained(home):
    dataset = EvaluationRecordsDataset(filepath=str(home / "current"))
    assert dataset.load() == []
    assert not dataset.exists()


def test_models_can_be_named_in_one_string():
    assert CrossValidationOptions(models="resnet50|vgg16").models == ("resnet50", "vgg16")
