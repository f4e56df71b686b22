from dataclasses import replace

import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.datasets import GeneratedImagesDataset
from leukoscope.images.generated import GeneratedImages, resize_square


def make(pixels=7, names=("Benign", "Early"), splits="of-now") -> GeneratedImages:
    images = np.full((4, 8, 8, 3), pixels, np.uint8)
    return GeneratedImages(images, np.array([0, 0, 1, 1]), names, splits, {"generator": {"model": "ddpm"}})


def test_they_are_read_as_they_were_saved(tmp_path):
    dataset = GeneratedImagesDataset(filepath=str(tmp_path / "images.npz"))
    assert not dataset.exists()
    dataset.save(make())
    read = GeneratedImagesDataset(filepath=str(tmp_path / "images.npz")).load()
    assert read.fingerprint == make().fingerprint
    assert (read.pixels == 7).all()
    assert (read.class_names, read.splits, read.facts) == (make().class_names, "of-now", make().facts)


@pytest.mark.parametrize("change", [{"pixels": 8}, {"names": ("Benign", "Pro")}, {"splits": "others"}])
def test_the_fingerprint_tells_sets_apart(change):
    assert make(**change).fingerprint != make().fingerprint


@pytest.mark.parametrize("left", [0, 40, 700])
def test_a_damaged_file_is_told_in_a_line(tmp_path, left):
    path = tmp_path / "images.npz"
    make().save(path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match=r"images\.npz"):
        GeneratedImagesDataset(filepath=str(path)).load()


def test_an_array_of_something_else_is_refused(tmp_path):
    path = tmp_path / "images.npz"
    with path.open("wb") as file:
        np.savez(file, other=np.ones(3))
    with pytest.raises(InputError, match="no whole file of generated images"):
        GeneratedImagesDataset(filepath=str(path)).load()


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": np.zeros((4, 8, 8, 1), np.uint8)},
        {"pixels": np.zeros((0, 8, 8, 3), np.uint8), "classes": np.zeros(0, int)},
        {"classes": np.zeros(4, int)},
        {"classes": np.array([0, 0, 1, 2])},
        {"classes": np.zeros((4, 1), int)},
        {"classes": np.array(list("0011"))},
    ],
)
def test_arrays_that_do_not_go_together_are_refused(tmp_path, change):
    replace(make(), **change).save(tmp_path / "images.npz")
    with pytest.raises(InputError, match=r"images\.npz"):
        GeneratedImagesDataset(filepath=str(tmp_path / "images.npz")).load()


def test_other_classes_and_other_splits_are_refused():
    make().require_fitting(["Benign", "Early"], "of-now")
    with pytest.raises(InputError, match=r"have the classes Benign, Early, and the training has Early, Benign"):
        make().require_fitting(["Early", "Benign"], "of-now")
    with pytest.raises(InputError, match=r"learned from other splits \(of-now\).*may have seen images"):
        make().require_fitting(["Benign", "Early"], "of-then")


def test_an_image_is_resized_with_antialiasing():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(200)
    image = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    assert np.abs(resize_square(image, 16)[4:12, 4:12].astype(int) - 100).max() <= 2
    assert resize_square(image, 64) is image
