import keras
import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.generation.judging import Sample, build_judge, judge_set
from leukoscope.generation.options import JudgeOptions
from leukoscope.images.generated import GeneratedImages

NAMES = ("Benign", "Early Pre-B")
VIOLET, PALE = (90, 60, 200), (230, 220, 240)


def make_sample(rng, number: int = 40, shift: float = 0.0) -> Sample:
    """Benign fields are pale, the others violet; features tell the classes apart."""
    classes = np.arange(number) % 2
    pixels = np.clip(np.array([PALE, VIOLET])[classes][:, None, None] + rng.integers(-8, 9, (number, 8, 8, 3)), 0, 255)
    features = 3.0 * np.eye(2)[classes] + rng.normal(0, 0.5, (number, 2)) + shift
    return Sample(pixels.astype(np.uint8), classes, features)


def judge(drawn: Sample, training: Sample, validation: Sample) -> dict:
    generated = GeneratedImages(drawn.pixels, drawn.classes, NAMES, "splits", {})
    options = JudgeOptions(architecture="mobilenet_v2", weights="some/where/own.weights.h5")
    return judge_set(generated, drawn, training, validation, options, seed=1)


def test_what_is_drawn_like_real_images_is_told_so(rng):
    figures = judge(make_sample(rng), make_sample(rng), make_sample(rng))
    assert figures["judge"] == "MobileNetV2, weights of own.weights.h5"
    for name in ("kid", "kid_validation"):
        assert abs(figures[name]) < 4 * figures[f"{name}_error"]
    assert figures["memorised_by_pixels"] < 0.3
    assert figures["accuracy_trained_on_generated"] > 0.9
    assert figures["accuracy_trained_on_real"] > 0.9


def test_what_is_drawn_otherwise_is_told_so(rng):
    figures = judge(make_sample(rng, shift=5.0), make_sample(rng), make_sample(rng))
    assert figures["kid"] > 5 * figures["kid_error"]
    assert figures["kid"] > 10 * abs(figures["kid_validation"])


def test_the_shares_of_classes_have_no_part_in_the_kid(rng):
    drawn = make_sample(rng, 80)
    few = np.flatnonzero((drawn.classes == 0) | (np.arange(80) < 20))
    figures = judge(Sample(*(values[few] for values in drawn)), make_sample(rng), make_sample(rng))
    assert abs(figures["kid"]) < 4 * figures["kid_error"]


@pytest.mark.parametrize("mirror", [np.s_[:], np.s_[:, ::-1], np.s_[:, :, ::-1], np.s_[:, ::-1, ::-1]])
def test_copies_are_found_mirrored_ones_too(rng, mirror):
    training = make_sample(rng)
    copies = Sample(training.pixels[mirror], training.classes, training.features)
    figures = judge(copies, training, make_sample(rng))
    assert figures["memorised_by_pixels"] == 1
    assert figures["memorised_by_features"] == 1


def test_the_stain_of_each_class_is_measured(rng):
    drawn, training = make_sample(rng), make_sample(rng)
    drawn.pixels[drawn.classes == 1, :2] = PALE
    figures = judge(drawn, training, make_sample(rng))
    stain = {name: value for name, value in figures.items() if name.startswith("hue_band")}
    assert stain == {
        "hue_band_generated_benign": 0,
        "hue_band_real_benign": 0,
        "hue_band_generated_early_pre_b": 0.75,
        "hue_band_real_early_pre_b": 1,
    }


@pytest.mark.slow
def test_a_judge_has_an_input_of_its_own_size_and_weights_by_a_seed(rng):
    images = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    options = JudgeOptions(architecture="mobilenet_v2", weights="none", input_size=32)
    one, same, other = (keras.ops.convert_to_numpy(build_judge(options, 64, seed)(images)) for seed in (1, 1, 2))
    assert one.shape == (2, 1280)
    assert one == pytest.approx(same, rel=1e-4)
    assert np.abs(one - other).max() > 1e-2


def test_a_judge_without_weights_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no weights file"):
        build_judge(JudgeOptions(weights=str(tmp_path / "none.h5")), 64, 1)
    with pytest.raises(ValueError, match="no architecture 'inception'"):
        JudgeOptions(architecture="inception")


def test_a_judge_of_too_small_images_is_refused():
    with pytest.raises(InputError, match=r"judge\.input_size is 16 pixels; VGG16 needs 32"):
        build_judge(JudgeOptions(architecture="vgg16", weights="none", input_size=16), 64, 1)
