import keras
import pytest

from leukoscope.core.errors import InputError
from leukoscope.models.network import Classifier, build_classifier
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe


def build(backbone: str, class_names, weights: str) -> Classifier:
    recipe = resolve_recipe(backbone, Recipe(input_size=32), RecipeDifferences(weights=weights))
    return build_classifier(backbone, recipe, class_names, seed=0)


class TestWeightsThatCannotBeHad:
    def test_no_such_file(self, class_names):
        with pytest.raises(InputError, match=r"There is no weights file 'nowhere\.h5'"):
            build("vgg16", class_names, weights="nowhere.h5")

    def test_a_file_of_another_architecture(self, class_names, tmp_path):
        path = tmp_path / "vgg.weights.h5"
        keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(path)
        with pytest.raises(InputError, match="does not hold the weights of ResNet50"):
            build("resnet50", class_names, weights=str(path))

    def test_a_file_that_is_no_weights_file(self, class_names, tmp_path):
        (tmp_path / "text.h5").write_text("no weights")
        with pytest.raises(InputError, match="does not hold the weights of ResNet50"):
            build("resnet50", class_names, weights=str(tmp_path / "text.h5"))

    def test_a_hub_out_of_reach_says_where_the_file_goes(self, class_names, monkeypatch, tmp_path):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", _no_network, raising=True)
        with pytest.raises(InputError, match=r"ResNet50 could not be downloaded.*notop\.h5.*models.*weights: none"):
            build("resnet50", class_names, weights="imagenet")


def _no_network(*args, **kwargs):
    from urllib.error import URLError

    raise URLError("no network")
