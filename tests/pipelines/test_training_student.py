"""A student takes what its teacher's evaluation kept."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import configure_project, pipelines

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.entries import Entry, describe_entries, read_entries, set_entries
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.hooks.parameters import _require_teachers
from leukoscope.pipelines.augmentation.nodes import plan_training
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training.nodes import make_trainer, prepare_training, resolve_recipe
from leukoscope.pipelines.training.student import collect_teaching, name_teacher
from leukoscope.training.distillation import soften
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns
from made_entries import make_entry

LESSON = {"teacher": "vgg19", "temperature": 2.0, "share": 0.5}


class Teacher(NamedTuple):
    fingerprint: str


@pytest.fixture
def evaluated(splits, class_names) -> tuple[Teacher, pd.DataFrame, pd.DataFrame, dict]:
    """What the evaluation of a teacher leaves behind."""
    probabilities = pd.get_dummies(splits["label"])[class_names].to_numpy() * 0.7 + 0.075
    predictions = splits[["image_id", "split", "label"]].reset_index(drop=True)
    predictions = predictions.join(tabulate_probabilities(probabilities, class_names))
    summary = {"splits": fingerprint_table(splits)}
    return Teacher("of the teacher"), predictions, predictions.assign(model="of the teacher"), summary


@pytest.fixture
def recipe() -> dict:
    return resolve_recipe(Recipe(weights="none"), make_entry("vgg16", training={"distillation": LESSON}))


def test_the_student_learns_what_the_teacher_says_of_each_image_of_an_epoch(
    recipe, evaluated, splits, smears, class_names, tmp_path
):
    teaching = collect_teaching(recipe, splits, *evaluated)
    plan = plan_training(splits, AugmentationOptions(balance="oversample"), 7)
    facts = (AugmentationOptions(), class_names, smears, plan, splits, SplittingOptions(), 7)
    key = prepare_training(name_teacher(recipe, teaching), *facts)
    assert key["teacher"] == "of the teacher"
    assert key["recipe"]["distillation"] == LESSON
    journal = TrainingRuns(tmp_path / "vgg16").start(key).journal
    trainer = make_trainer(journal, journal.key, smears, plan, splits, "vgg16", None, teaching)
    assert len(trainer.training.taught) == plan["repeats"].sum() == len(trainer.training.rows)
    assert (trainer.training.taught.argmax(axis=1) == trainer.training.classes).all()
    softened = soften(np.array([[0.775, 0.075, 0.075, 0.075]]), 2.0)[0, 0]
    assert trainer.training.taught.max(axis=1) == pytest.approx(softened)
    assert trainer.validation.taught is None


def test_another_model_that_teaches_is_another_training(recipe, evaluated, splits, smears, class_names):
    plan = plan_training(splits, AugmentationOptions(), 7)
    facts = (AugmentationOptions(), class_names, smears, plan, splits, SplittingOptions(), 7)
    _, predictions, features, summary = evaluated
    keys = []
    for model in ("one", "other"):
        teaching = collect_teaching(recipe, splits, Teacher(model), predictions, features.assign(model=model), summary)
        keys.append(prepare_training(name_teacher(recipe, teaching), *facts))
    assert keys[0] != keys[1]
    assert "teacher" not in prepare_training(recipe, *facts)


@pytest.mark.parametrize("fault", ["summary", "images", "split"])
def test_a_teacher_of_other_splits_is_refused_with_the_command(recipe, evaluated, splits, fault):
    teacher, predictions, features, summary = evaluated
    if fault == "summary":
        summary = {"splits": "others"}
    elif fault == "images":
        predictions = predictions[1:]
    else:
        predictions = predictions.replace({"split": {"test": "train"}})
    with pytest.raises(InputError, match=r"vgg19, the teacher, was trained or .*other splits.*--pipelines train_vgg19"):
        collect_teaching(recipe, splits, teacher, predictions, features, summary)


def test_a_teacher_that_was_trained_again_since_its_evaluation_is_refused(recipe, evaluated, splits):
    with pytest.raises(InputError, match="vgg19 was trained again after it had been evaluated"):
        collect_teaching(recipe, splits, Teacher("another"), *evaluated[1:])


def test_a_student_takes_its_teachers_evaluation_and_nobody_elses(project_path):
    configure_project("leukoscope")
    network = {"kind": "network", "architecture": "vgg16"}
    try:
        set_entries({"vgg19": network, "small": network | {"training": {"distillation": LESSON}}})
        assert describe_entries()["small"] == Entry("network", (), True, "vgg19")
        taken = pipelines["train_small"].inputs()
        assert {"vgg19.model", "vgg19.predictions", "vgg19_features", "vgg19.training_summary"} <= taken
        assert not [name for name in pipelines["train_vgg19"].inputs() if name.startswith("small")]
        assert pipelines["train_small"] + pipelines["train_vgg19"]
    finally:
        set_entries(read_entries(project_path / "conf"))


class TestWhoCanTeach:
    def check(self, teacher: str, shared: Recipe | None = None, **others) -> None:
        student = make_entry("vgg16", training={"distillation": LESSON | {"teacher": teacher}})
        _require_teachers({"vgg16": student, "vgg19": make_entry("vgg19"), **others}, shared or Recipe())

    def test_any_entry_that_is_no_student(self):
        self.check("vgg19")

    def test_no_unknown_one(self):
        with pytest.raises(ValueError, match=r"'vgg18', of which .*distillation.teacher .*'vgg19'"):
            self.check("vgg18")

    def test_not_itself_nor_another_student(self):
        with pytest.raises(ValueError, match="it, or a part of it, has a teacher"):
            self.check("vgg16")
        other = make_entry("resnet50", training={"distillation": LESSON})
        with pytest.raises(ValueError, match="it, or a part of it, has a teacher"):
            self.check("resnet50", resnet50=other)

    @pytest.mark.parametrize("kind", [{"kind": "ensemble", "members": ["vgg16"]}, {"kind": "views", "member": "vgg16"}])
    def test_not_what_is_made_of_the_student(self, kind):
        with pytest.raises(ValueError, match="it, or a part of it, has a teacher"):
            self.check("made", made=ModelOptions.model_validate({"name": "made"} | kind))

    def test_not_for_all_models_at_once(self):
        with pytest.raises(ValueError, match=r"training\.distillation is of a model's entry"):
            self.check("vgg19", Recipe(distillation=LESSON))
