"""A file of PyTorch's names becomes one that trainings start from."""

import json

import keras
import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.network import build_classifier
from leukoscope.pipelines.import_weights.nodes import import_weights
from leukoscope.pipelines.import_weights.options import ImportOptions
from leukoscope.training.recipe import Recipe, RecipeDifferences, require_weights, resolve_recipe
from torch_files import build_trunk, name_as_torch, write_safetensors

NAME = "mobilenet_v2"


@pytest.fixture(scope="module")
def trunk() -> keras.Model:
    return build_trunk(NAME, 64)


@pytest.fixture(scope="module")
def files(trunk, tmp_path_factory) -> dict[str, bytes]:
    source = write_safetensors(tmp_path_factory.mktemp("given") / "m.safetensors", name_as_torch(trunk, NAME))
    return import_weights(ImportOptions(weights=str(source), architecture=NAME))


@pytest.fixture
def path(files, tmp_path):
    (tmp_path / f"{NAME}.weights.h5").write_bytes(files[f"{NAME}.weights.h5"])
    return tmp_path / f"{NAME}.weights.h5"


def resolve(path, **own):
    return resolve_recipe(NAME, Recipe(input_size=64), RecipeDifferences(weights=str(path), **own))


@pytest.mark.slow
def test_a_training_starts_from_the_file(trunk, path):
    """Its kernels are turned by half a turn, and the scales of its norms make up for another epsilon."""
    recipe = resolve(path, pixels="torch")
    require_weights(NAME, architecture.get(NAME), recipe)
    started = build_classifier(NAME, recipe, list("ab"), 0).network
    for name in ("Conv1", "block_3_depthwise"):
        ours, theirs = started.get_layer(name).get_weights()[0], trunk.get_layer(name).get_weights()[0]
        assert np.array_equal(ours, theirs[::-1, ::-1])
    assert np.array_equal(started.get_layer("bn_Conv1").moving_mean, trunk.get_layer("bn_Conv1").moving_mean)


def test_the_report_says_what_became_of_each_key(files):
    report = json.loads(files[f"{NAME}.json"])
    assert len(report["keys_used"]) == 260
    assert len(report["keys_left_out"]) == 52
    assert report["set"] == {"weights": "mobilenet_v2.weights.h5", "pixels": "torch"}
    assert report["turned"] is True


def test_pixels_that_do_not_fit_the_weights_are_refused(path):
    with pytest.raises(
        InputError,
        match=r"imported for pixels scaled as torch, and MobileNetV2 scales them as tf\. Set "
        r"models\.light\.training\.pixels=torch",
    ):
        require_weights("light", architecture.get(NAME), resolve(path))


def test_a_file_that_says_nothing_of_pixels_is_taken(trunk, tmp_path):
    trunk.save_weights(tmp_path / "own.weights.h5")
    require_weights("light", architecture.get(NAME), resolve(tmp_path / "own.weights.h5"))


def test_nothing_to_import_names_the_command():
    with pytest.raises(InputError, match=r"--pipelines import_weights --params \"import_weights\.weights=FILE,"):
        import_weights(ImportOptions())
