import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from leukoscope.backend import precision
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.core.storage import hold
from leukoscope.images.generated import GeneratedImages
from leukoscope.pipelines.augmentation.nodes import plan_training
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training.nodes import (
    prepare_training,
    resolve_augmentation,
    resolve_recipe,
    train_classifier,
)
from leukoscope.training import key
from leukoscope.training.augmentation_options import ResolvedAugmentation
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns
from made_entries import make_entry


@dataclass(frozen=True)
class Classifier:
    trained_on: str = ""
    image_size: int = 0
    fingerprint: str = "of the weights"


class Trainer:
    """Has finished as soon as it begins, and is alone meanwhile."""

    def __init__(self, *facts) -> None:
        self._journal = next(fact for fact in facts if isinstance(fact, TrainingJournal))

    def fit(self) -> Classifier:
        with pytest.raises(InputError, match="Another run"), hold(self._journal.home):
            pass
        if not self._journal.finished:
            self._journal.append({"epoch": 1, "validation_loss": 0.5})
            self._journal.finish({"epochs": 1}, lambda path: path.touch())
        return Classifier()


@pytest.fixture
def train(tmp_path, monkeypatch, splits, smears, class_names):
    monkeypatch.setattr("leukoscope.training.trainer.Trainer", Trainer)
    monkeypatch.setattr(LabelledImages, "from_plan", lambda *facts: None)
    plan = plan_training(splits, AugmentationOptions(), 7)
    runs = TrainingRuns(tmp_path / "vgg16")

    def train_with(software: dict, seed: int = 7) -> dict:
        recipe = resolve_recipe(Recipe(weights="none"), make_entry("vgg16"))
        facts = (recipe, ResolvedAugmentation(), class_names, smears, plan, splits, SplittingOptions(), seed)
        journal = runs.start(prepare_training(*facts)).journal
        summary = train_classifier(journal, software, smears, plan, splits, make_entry("vgg16"))[2]
        assert journal.model == "of the weights"
        return summary

    return train_with


def test_the_summary_has_the_software_of_the_training_and_not_of_a_later_run(train):
    said = [train({"kedro": "3"}), train({"kedro": "4"}), train({"kedro": "4"}, seed=8)]
    assert [(one["provenance"]["kedro"], one["provenance"]["seed"]) for one in said] == [
        ("3", "7"),
        ("3", "7"),
        ("4", "8"),
    ]
    assert said[0]["provenance"] | precision.describe_engine("auto") == said[0]["provenance"]


def test_the_summary_has_what_the_guidelines_ask_for_of_a_training(train):
    summary = train({})
    expected = {
        "optimizer": "Adam",
        "loss": "categorical cross-entropy",
        "label_smoothing": 0.0,
        "learning_rate": 1e-4,
        "schedule": "constant",
        "patience": 5,
        "clip_norm": "none",
        "final_weights": "of the epoch with the lowest validation loss",
        "seed": "7",
        "class_balance": "none: every training image once an epoch, with equal weight",
        "training_images": dict.fromkeys(("Benign", "Early", "Pre", "Pro"), 28),
    }
    assert {name: summary[name] for name in expected} == expected


def test_another_recipe_is_described_as_it_is():
    recipe = Recipe(weights="none", patience=None, weight_decay=0.1, batch_norm_momentum=None, clip_norm=1.5)
    facts = key.describe_key(
        {"recipe": recipe.model_dump(), "weights": None, "seed": 1, "augmentation": {}, "splits": "a"}
    )
    assert facts["optimizer"] == "AdamW"
    assert facts["weight_decay"] == 0.1
    assert facts["clip_norm"] == 1.5
    assert facts["patience"] == "none: never stopped early"
    assert facts["final_weights"] == "of the last epoch"
    assert facts["batch_norm_momentum"] == "the architecture's own"


@pytest.mark.parametrize(
    ("balance", "words", "seen", "weights"),
    [
        ("oversample", "oversampling", {"Benign": 28, "Pro": 28}, {"Benign": 1.0, "Pro": 1.0}),
        ("class_weights", "class weights", {"Benign": 28, "Pro": 7}, {"Benign": 35 / 56, "Pro": 35 / 14}),
        ("none", "none", {"Benign": 28, "Pro": 7}, {"Benign": 1.0, "Pro": 1.0}),
    ],
)
def test_how_classes_were_balanced_is_told_with_its_counts(splits, balance, words, seen, weights):
    some = pd.concat([splits.query("label == 'Benign'"), splits.query("label == 'Pro'").head(7)])
    facts = key.describe_balance(plan_training(some, AugmentationOptions(balance=balance), 1))
    assert facts["class_balance"].startswith(words)
    assert facts["training_images"] == {"Benign": 28, "Pro": 7}
    assert facts["images_an_epoch"] == seen
    assert facts["weights_in_the_loss"] == pytest.approx(weights)


def make_recipe(name: str = "vgg16", **fields) -> dict:
    return resolve_recipe(Recipe(**{"weights": "none"} | fields), make_entry(name))


def change_an_image(smears) -> None:
    smears.records.loc[0, "sha256"] = "another"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda facts, patch: facts.update(seed=8), "seed"),
        (lambda facts, patch: facts.update(recipe=make_recipe("vgg19")), "architecture"),
        (lambda facts, patch: facts.update(recipe=make_recipe(epochs=7)), "recipe"),
        (lambda facts, patch: facts.update(recipe=make_recipe(precision="mixed_float16")), "engine"),
        (lambda facts, patch: facts.update(augmentation=ResolvedAugmentation(rotation=90.0)), "augmentation"),
        (lambda facts, patch: facts.update(class_names=list("abcd")), "class_names"),
        (lambda facts, patch: change_an_image(facts["smears"]), "data"),
        (lambda facts, patch: facts.update(splits=facts["splits"].replace({"split": {"test": "train"}})), "splits"),
        (lambda facts, patch: facts.update(splitting=SplittingOptions(fold="1 of 5")), "split"),
        (lambda facts, patch: patch.setattr(key, "PACKED_FORMAT", -1), "data"),
        (lambda facts, patch: patch.setattr(precision, "describe_engine", lambda *_: {"backend": "another"}), "engine"),
        (lambda facts, patch: patch.setattr(key, "TRAINING_FORMAT", -1), "format"),
    ],
)
def test_what_determines_a_training_is_in_its_key(smears, splits, class_names, monkeypatch, change, told):
    smears.records = splits[["image_id"]].assign(sha256=splits["image_id"])
    facts = {
        "recipe": make_recipe(),
        "augmentation": ResolvedAugmentation(),
        "class_names": class_names,
        "smears": smears,
        "training_plan": splits[splits["split"] == "train"],
        "splits": splits,
        "splitting": SplittingOptions(),
        "seed": 7,
    }
    before = prepare_training(**facts)
    assert prepare_training(**facts) == before
    change(facts, monkeypatch)
    after = prepare_training(**facts)
    assert told in [name for name in before if before[name] != after[name]]


@pytest.fixture
def generated(splits, class_names) -> GeneratedImages:
    return GeneratedImages(
        np.zeros((4, 8, 8, 3), np.uint8), np.arange(4), tuple(class_names), fingerprint_table(splits), {}
    )


def resolve(recipe: dict, generated, splits, class_names, own: dict | None = None, **shared) -> ResolvedAugmentation:
    entry = make_entry("vgg16", **({"augmentation": own} if own else {}))
    return resolve_augmentation(AugmentationOptions(**shared), entry, recipe, class_names, splits, generated)


@pytest.mark.parametrize("recipe", [{"trainable": "head"}, {"head_epochs": 1}])
@pytest.mark.parametrize(("name", "value"), [("mixup", 0.2), ("synthetic", 0.25)])
def test_features_that_are_kept_cannot_be_mixed(generated, splits, class_names, recipe, name, value):
    facts = (generated, splits, class_names)
    with pytest.raises(InputError, match=rf"augmentation has {name}.*Set training.feature_views to null"):
        resolve(make_recipe(**recipe), *facts, **{name: value})
    assert getattr(resolve(make_recipe(**recipe, feature_views=None), *facts, **{name: value}), name) == value
    assert getattr(resolve(make_recipe(**recipe), *facts), name) == 0


def test_copies_under_other_stains_need_a_change_of_stain(generated, splits, class_names):
    recipe = make_recipe(trainable="head", feature_views=0, feature_stains=2)
    with pytest.raises(InputError, match=r"feature_stains is 2 for vgg16, .*Set models.vgg16.augmentation.stain=0.3"):
        resolve(recipe, generated, splits, class_names)
    assert resolve(recipe, generated, splits, class_names, brightness=0.1).brightness == 0.1


def test_a_teacher_has_not_seen_generated_images(generated, splits, class_names):
    taught = make_recipe(distillation={"teacher": "vgg19"})
    with pytest.raises(InputError, match=r"vgg16 is to learn from another model.*augmentation.synthetic is 0.25"):
        resolve(taught, generated, splits, class_names, synthetic=0.25)
    assert resolve(taught, generated, splits, class_names).synthetic == 0


def test_an_entry_has_its_own_augmentation(generated, splits, class_names):
    resolved = resolve(make_recipe(), generated, splits, class_names, {"synthetic": 0.25, "rotation": 5.0}, zoom=0.3)
    assert (resolved.synthetic, resolved.rotation, resolved.zoom) == (0.25, 5.0, 0.3)
    assert resolved.generated == generated.fingerprint
    assert resolve(make_recipe(), generated, splits, class_names, zoom=0.3).generated is None
    with pytest.raises(ValidationError, match=r"known are .*synthetic"):
        make_entry("vgg16", augmentation={"balance": "none"})


def test_generated_images_must_be_there_and_of_these_classes_and_splits(generated, splits, class_names):
    with pytest.raises(InputError, match=r"synthetic is 0.25 for vgg16.*Run the pipeline generate first"):
        resolve(make_recipe(), None, splits, class_names, synthetic=0.25)
    with pytest.raises(InputError, match="learned from other splits"):
        resolve(make_recipe(), generated, splits.replace({"split": {"test": "train"}}), class_names, synthetic=0.25)
    with pytest.raises(InputError, match="have the classes Benign, Early, Pre, Pro, and the training has"):
        resolve(make_recipe(), generated, splits, class_names[::-1], synthetic=0.25)
    assert resolve(make_recipe(), None, splits, class_names).synthetic == 0


def test_generated_images_are_in_the_key_only_where_they_are_used(smears, splits, class_names):
    smears.records = splits[["image_id"]].assign(sha256=splits["image_id"])
    facts = (class_names, smears, splits[splits["split"] == "train"], splits, SplittingOptions(), 7)
    without = prepare_training(make_recipe(), ResolvedAugmentation(), *facts)
    keys = [
        prepare_training(make_recipe(), ResolvedAugmentation(synthetic=share, generated=images), *facts)
        for share, images in ((0.25, "one"), (0.5, "one"), (0.25, "other"))
    ]
    assert "synthetic" not in json.dumps(without)
    for made in keys:
        assert {name for name in made if made[name] != without.get(name)} == {"synthetic"}
    assert len({json.dumps(made["synthetic"]) for made in keys}) == 3


def test_a_training_sees_the_images_that_its_key_names(generated, smears, splits, class_names, tmp_path, monkeypatch):
    smears.records = splits[["image_id"]].assign(sha256=splits["image_id"])
    plan = plan_training(splits, AugmentationOptions(), 7)
    augmentation = ResolvedAugmentation(synthetic=0.25, generated=generated.fingerprint)
    made = prepare_training(make_recipe(), augmentation, class_names, smears, plan, splits, SplittingOptions(), 7)
    journal = TrainingRuns(tmp_path / "vgg16").start(made).journal
    seen = []

    class Watching(Trainer):
        def __init__(self, *facts) -> None:
            super().__init__(*facts)
            seen.append(facts[3].substitution)

    monkeypatch.setattr("leukoscope.training.trainer.Trainer", Watching)
    summary = train_classifier(journal, {}, smears, plan, splits, make_entry("vgg16"), generated)[2]
    assert (seen[0].images, seen[0].share) == (generated, 0.25)
    assert summary["synthetic"] == {"share": 0.25, "images": generated.fingerprint}
    others = replace(generated, pixels=generated.pixels + np.uint8(1))
    with pytest.raises(InputError, match="others are there now"):
        train_classifier(journal, {}, smears, plan, splits, make_entry("vgg16"), others)


def test_another_content_of_a_weights_file_is_another_training(smears, splits, class_names, tmp_path):
    file, keys = tmp_path / "base.weights.h5", []
    for content in (b"one", b"two"):
        file.write_bytes(content)
        facts = (make_recipe(weights=str(file)), ResolvedAugmentation(), class_names, smears, splits, splits)
        keys.append(prepare_training(*facts, SplittingOptions(), 7))
    assert [name for name in keys[0] if keys[0][name] != keys[1][name]] == ["weights"]


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_weights_file_that_cannot_be_read_is_refused_first(tmp_path, kind):
    path = tmp_path / "nowhere.weights.h5"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=r"no weights file '.*nowhere.weights.h5' that can be read .*untouched"):
        make_recipe(weights=str(path))


def test_the_recipe_in_force_has_nothing_left_open():
    entry = make_entry("vgg16", training={"epochs": 3, "trainable": "head"})
    made = resolve_recipe(Recipe(weights="none", epochs=9), entry)
    assert made["architecture"] == "vgg16"
    assert (made["recipe"]["epochs"], made["recipe"]["trainable"]) == (3, "head")
    assert None not in [made["recipe"][name] for name in ("input_size", "batch_size", "dropout")]
