from dataclasses import dataclass

import pytest

from leukoscope.images.labelled import LabelledImages
from leukoscope.models import fitting
from leukoscope.models.journal import TrainingJournal
from leukoscope.models.recipes import Recipe
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.training.nodes import prepare_training, train_classifier
from leukoscope.pipelines.training.options import BackboneOptions


@dataclass(frozen=True)
class Classifier:
    trained_on: str = ""
    image_size: int = 0


class Trainer:
    """Has finished as soon as it begins."""

    def __init__(self, *facts) -> None:
        self._journal = next(fact for fact in facts if isinstance(fact, TrainingJournal))

    def fit(self) -> Classifier:
        if not self._journal.finished:
            row = {"epoch": 1, "validation_loss": 0.5}
            self._journal.append(row, lambda path: path.touch(), lambda path: path.touch())
            self._journal.finish({"epochs": 1}, lambda path: path.touch())
        return Classifier()


@pytest.fixture
def train(tmp_path, monkeypatch, splits, smears, class_names):
    monkeypatch.setattr(fitting, "Trainer", Trainer)
    monkeypatch.setattr(LabelledImages, "from_plan", lambda *facts: None)
    plan = splits[splits["split"] == "train"]
    journal = TrainingJournal(tmp_path)

    def train_with(software: dict, seed: int = 7) -> dict:
        facts = Recipe(weights="none"), BackboneOptions(backbone="vgg16"), AugmentationOptions()
        journal.start(prepare_training(*facts, class_names, smears, plan, splits, seed))
        return train_classifier(journal, software, smears, plan, splits)[2]

    return train_with


def test_the_summary_has_the_software_of_the_training_and_not_of_a_later_run(train):
    assert train({"keras": "3"})["provenance"] == {"keras": "3", "seed": "7"}
    assert train({"keras": "4"})["provenance"] == {"keras": "3", "seed": "7"}
    assert train({"keras": "4"}, seed=8)["provenance"] == {"keras": "4", "seed": "8"}
