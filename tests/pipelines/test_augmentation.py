import pandas as pd
import pytest

from leukoscope.pipelines.augmentation.nodes import plan_training, preview_augmentation
from leukoscope.pipelines.augmentation.options import AugmentationOptions


@pytest.fixture
def unequal(splits) -> pd.DataFrame:
    """28 training images a class, of Benign only 10."""
    return splits.drop(splits.query("label == 'Benign' and split == 'train'").index[10:])


def test_oversampling_shows_every_class_as_often_as_the_largest(unequal):
    plan = plan_training(unequal, AugmentationOptions(balance="oversample"), seed=0)
    assert (plan.groupby("label")["repeats"].sum() == 28).all()
    assert set(plan.query("label == 'Benign'")["repeats"]) == {2, 3}
    assert (plan["weight"] == 1).all()


def test_class_weights_give_every_class_the_same_total(unequal):
    plan = plan_training(unequal, AugmentationOptions(balance="class_weights"), seed=0)
    totals = plan.groupby("label")["weight"].sum()
    assert totals.to_numpy() == pytest.approx(totals.iloc[0])
    assert plan["weight"].mean() == pytest.approx(1)
    assert (plan["repeats"] == 1).all()


def test_no_balance_leaves_the_images_alone(unequal):
    plan = plan_training(unequal, AugmentationOptions(balance="none"), seed=0)
    assert (plan[["repeats", "weight"]] == 1).all(axis=None)


def test_only_training_images_are_planned(unequal):
    plan = plan_training(unequal, AugmentationOptions(), seed=0)
    assert set(plan["image_id"]) == set(unequal.query("split == 'train'")["image_id"])


def test_the_preview_shows_each_class_as_it_is_and_changed(splits, smears, class_names):
    plan = plan_training(splits, AugmentationOptions(), seed=0)
    figure = preview_augmentation(smears, plan, AugmentationOptions(), seed=0)
    pictures = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert len(pictures) == 4 * 6
    assert (pictures[0] == smears.pixels[0]).all()
    assert (pictures[1] != pictures[0]).any()
