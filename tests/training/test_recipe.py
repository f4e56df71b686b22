import pytest
from pydantic import ValidationError

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe


@pytest.mark.parametrize("backbone", architecture.list_names())
def test_what_nobody_sets_comes_from_the_table(backbone):
    recipe = resolve_recipe(backbone, Recipe(), RecipeDifferences())
    row = architecture.get(backbone)
    assert (recipe.input_size, recipe.batch_size, recipe.dropout) == (row.input_size, row.batch_size, row.dropout)


def test_a_difference_wins_over_the_shared_recipe_and_that_over_the_table():
    shared = Recipe(epochs=7, batch_size=8)
    recipe = resolve_recipe("vgg16", shared, RecipeDifferences(epochs=3))
    assert (recipe.epochs, recipe.batch_size, recipe.dropout) == (3, 8, 0.5)


def test_a_difference_can_switch_early_stopping_off():
    assert resolve_recipe("vgg16", Recipe(patience=5), RecipeDifferences(patience=None)).patience is None


def test_a_mistyped_name_is_answered_with_the_right_one():
    with pytest.raises(ValidationError, match="no parameter 'epocs': did you mean 'epochs'"):
        RecipeDifferences(epocs=3)


def test_a_block_of_another_backbone_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"models.vgg16.training.trainable is 'conv5'.*block2, block3, block4, block5"):
        resolve_recipe("vgg16", Recipe(), RecipeDifferences(trainable="conv5"))


HEAD_AT_ONCE = {"optimizer": "lbfgs", "trainable": "head", "feature_views": 0}


def test_a_head_that_converges_has_one_phase_in_the_precision_of_predictions():
    recipe = resolve_recipe("vgg16", Recipe(epochs=200, warmup_epochs=3), RecipeDifferences(**HEAD_AT_ONCE))
    assert [(phase.start, phase.stop, phase.trainable) for phase in recipe.phases] == [(0, 1, "head")]
    assert (recipe.precision, recipe.determining["optimizer"]) == ("float32", "lbfgs")
    assert not {"optimizer", "feature_stains"} & set(resolve_recipe("vgg16", Recipe(), RecipeDifferences()).determining)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainable": "all"}, "fits the last layer alone, on features .*set trainable to head"),
        ({"feature_views": None}, "fits the last layer alone, on features .*feature_views to a number"),
        ({"label_smoothing": 0.1, "ema_momentum": 0.9}, "knows no label_smoothing or ema_momentum"),
        ({"feature_stains": 2, "feature_views": 3}, "feature_stains is 2, .*trainable to head and feature_views to 0"),
        ({"feature_stains": 2, "trainable": "all", "optimizer": "adam"}, "feature_stains is 2, .*trainable to head"),
    ],
)
def test_what_a_head_that_converges_does_not_know_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        resolve_recipe("vgg16", Recipe(), RecipeDifferences(**HEAD_AT_ONCE | change))


def test_images_too_small_for_a_backbone_are_refused():
    mend = "InceptionV3 needs 75 or more. Set models.inception_v3.training.input_size, or leave the model out"
    with pytest.raises(InputError, match=f"^training.input_size is 64 pixels; {mend}"):
        resolve_recipe("inception_v3", Recipe(input_size=64), RecipeDifferences())
    with pytest.raises(InputError, match=f"^models.inception_v3.training.input_size is 32 pixels; {mend}"):
        resolve_recipe("inception_v3", Recipe(input_size=99), RecipeDifferences(input_size=32))


class TestPixels:
    def test_keras_own_weights_keep_their_own_scaling(self):
        with pytest.raises(InputError, match=r"models\.vgg16\.training\.pixels is torch, and .* as caffe"):
            resolve_recipe("vgg16", Recipe(), RecipeDifferences(pixels="torch"))
        assert resolve_recipe("vgg16", Recipe(), RecipeDifferences(pixels="caffe")).pixels == "caffe"

    def test_a_network_that_scales_inside_has_no_other(self):
        with pytest.raises(InputError, match=r"training\.pixels is torch, and ConvNeXtTiny has a scaling of its own"):
            resolve_recipe("convnext_tiny", Recipe(weights="none", pixels="torch"), RecipeDifferences())
