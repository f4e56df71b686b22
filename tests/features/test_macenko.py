import numpy as np
import pytest
from skimage.color import combine_stains

from leukoscope.core.errors import InputError
from leukoscope.features.macenko import MacenkoTarget, find_dyes, fit_dyes, normalise_dyes
from leukoscope.synthetic import draw_smear

AZURE, EOSIN = (np.array(dye) / np.linalg.norm(dye) for dye in ([0.8, 0.5, 0.3], [0.4, 0.9, 0.15]))
TARGET = MacenkoTarget((0.6, 0.64, 0.48), (0.28, 0.96, 0.0), (0.5, 0.6))


def stain(azure=AZURE, eosin=EOSIN, strength=1.0) -> np.ndarray:
    """Stain a field with known dyes: a third each of background, of one dye and of the other, and some of both."""
    rng = np.random.default_rng(1)
    amounts = rng.uniform(0.2, 0.6, (64, 64, 3)) * [strength, strength, 0]
    amounts[:16] = 0
    amounts[16:36, :, 1] = 0
    amounts[36:60, :, 0] = 0
    # scikit-image counts in steps of 10^-6, and takes a third dye, of which there is none.
    image = combine_stains(amounts / 6, np.stack([azure, eosin, np.cross(azure, eosin)]))
    return (image * 255).round().astype(np.uint8)


def test_known_dyes_are_found():
    found = find_dyes(stain())
    assert np.array(found.azure) == pytest.approx(AZURE, abs=0.02)
    assert np.array(found.eosin) == pytest.approx(EOSIN, abs=0.02)
    assert found.most == pytest.approx((0.6, 0.6), abs=0.03)


def test_an_image_gets_the_dyes_of_the_target_whatever_its_own():
    expected = stain(np.array(TARGET.azure), np.array(TARGET.eosin))
    target = find_dyes(expected)
    for own in (stain(), stain(strength=0.6), stain(EOSIN * [0.9, 1, 2], AZURE)):
        assert np.abs(own.astype(float) - expected).mean() > 8
    for own in (stain(), stain(strength=0.6)):
        assert np.abs(normalise_dyes(own, target) - expected).mean() < 2


def test_what_is_normalised_stays_as_it_is():
    once = normalise_dyes(stain(), TARGET)
    assert np.abs(normalise_dyes(once.round(), TARGET) - once).mean() < 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (250, 251, 255), (255, 0, 7)])
def test_an_image_of_one_colour_comes_back(colour):
    image = np.full((8, 8, 3), colour, np.uint8)
    assert find_dyes(image) is None
    np.testing.assert_array_equal(normalise_dyes(image, TARGET), image)


def test_grey_fields_and_nearly_empty_ones_come_back():
    grey = stain().mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    few = np.full((64, 64, 3), 250, np.uint8)
    few[:4, :4] = stain()[24:28, :4]
    for image in (grey, few):
        np.testing.assert_array_equal(normalise_dyes(image, TARGET), image)


def test_a_target_is_the_mean_of_the_images_that_have_two_dyes():
    images = [draw_smear("Pro", np.random.default_rng(seed), 64) for seed in (1, 2)]
    target = fit_dyes([*images, np.zeros((64, 64, 3), np.uint8)])
    assert target.most == pytest.approx(np.mean([find_dyes(image).most for image in images], axis=0))
    assert np.linalg.norm([target.azure, target.eosin], axis=1) == pytest.approx([1, 1])
    with pytest.raises(InputError, match=r"no training image shows two dyes.*Set it to reinhard or none"):
        fit_dyes(np.zeros((2, 8, 8, 3), np.uint8))
