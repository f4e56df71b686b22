"""What a training that normalises stain knows of its images."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from leukoscope.evaluation.folds import describe_training
from leukoscope.features.macenko import fit_dyes
from leukoscope.features.normalisation import fit_target
from leukoscope.pipelines.augmentation.nodes import plan_training
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training.nodes import prepare_training, train_classifier
from leukoscope.reporting.pages import page_environment
from leukoscope.synthetic import draw_smear
from leukoscope.training.augmentation_options import ResolvedAugmentation
from leukoscope.training.key import describe_key
from leukoscope.training.recipe import Recipe, ResolvedRecipe
from leukoscope.training.runs import TrainingRuns
from made_entries import make_entry

FACTS = "{% import 'parts.html' as parts %}{{ parts.facts(training) }}"


@dataclass(frozen=True)
class Classifier:
    trained_on: str = ""
    image_size: int = 0
    fingerprint: str = "of the weights"


def describe_recipe(**values):
    return make_entry("vgg16").describe_recipe(Recipe(weights="none", input_size=32, **values))


def test_dyes_are_measured_on_training_images(smears, splits, class_names):
    smears.records = splits[["image_id"]].assign(sha256=splits["image_id"])
    plan = plan_training(splits, AugmentationOptions(), 7)
    drawn = [draw_smear("Pro", np.random.default_rng(seed), 32) for seed in range(len(smears.pixels))]
    smears.pixels = np.stack(drawn)
    facts = (ResolvedAugmentation(), class_names, smears, plan, splits, SplittingOptions(), 7)
    key = json.loads(json.dumps(prepare_training(describe_recipe(normalisation="macenko"), *facts)))
    expected = fit_dyes(smears.pixels[smears.rows(splits.loc[splits["split"] == "train", "image_id"])])
    restored = ResolvedRecipe.model_validate(key["recipe"] | {"stain_target": key["stain_target"]}).stain_target
    assert restored == expected
    assert describe_key(key)["stain_target"]["most of eosin"] == expected.most[1]


def test_colours_are_measured_on_training_images_alone(smears, splits, class_names, tmp_path, monkeypatch):
    smears.records = splits[["image_id"]].assign(sha256=splits["image_id"])
    plan = plan_training(splits, AugmentationOptions(), 7)
    facts = (ResolvedAugmentation(), class_names, smears, plan, splits, SplittingOptions(), 7)
    without = prepare_training(describe_recipe(), *facts)
    made = prepare_training(describe_recipe(normalisation="reinhard"), *facts)
    assert {name for name in made if made[name] != without.get(name)} == {"recipe", "stain_target"}
    expected = fit_target(smears.pixels[smears.rows(splits.loc[splits["split"] == "train", "image_id"])])
    assert np.array(list(made["stain_target"].values())) == pytest.approx(np.array(expected))
    # Another fold has other training images, and the same recipe.
    assert describe_training(made) == describe_training(made | {"stain_target": None})
    journal, seen = TrainingRuns(tmp_path / "vgg16").start(made).journal, []

    class Trainer:
        """Has finished as soon as it begins."""

        def __init__(self, *facts) -> None:
            seen.append(facts[1].stain_target)

        def fit(self):
            journal.append({"epoch": 1, "validation_loss": 0.5})
            journal.finish({"epochs": 1}, lambda path: path.touch())
            return Classifier()

    monkeypatch.setattr("leukoscope.training.trainer.Trainer", Trainer)
    summary = train_classifier(journal, {}, smears, plan, splits, make_entry("vgg16"))[2]
    assert seen == [expected]
    assert (summary["normalisation"], summary["stain_target"]["mean of alpha"]) == ("reinhard", expected.mean[1])
    assert page_environment().from_string(FACTS).render(training=summary).count("deviation of beta") == 1
