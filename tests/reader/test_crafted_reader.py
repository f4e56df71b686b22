"""A reader whose classifier is no network."""

import numpy as np
import pytest

import crafted_models
from leukoscope.core.errors import InputError
from leukoscope.reader.second_reader import SecondReader


@pytest.fixture
def reader() -> SecondReader:
    return crafted_models.make_reader()


def test_it_comes_back_as_it_was_and_reads_alike(reader, tmp_path):
    reader.save(tmp_path)
    loaded = SecondReader.load(tmp_path)
    assert loaded.fingerprint == reader.fingerprint
    pixels = crafted_models.make_fields().pixels[::7]
    before, after = (one.read(pixels) for one in (reader, loaded))
    assert before.opinions.equals(after.opinions)
    assert np.array_equal(before.features, after.features)
    assert set(before.opinions["opinion"]) > {"Benign"}


def test_it_finds_the_training_images_that_a_field_resembles(reader):
    fields = crafted_models.make_fields()
    one = int(np.flatnonzero(fields.splits["split"] == "train")[3])
    features = reader.read(fields.pixels[one : one + 1]).features
    nearest = reader.find_nearest(features, 2)[0]
    assert nearest["image_id"][0] == fields.splits["image_id"][one]
    assert nearest["distance"][0] == pytest.approx(0, abs=1e-6)


def test_what_it_lacks_is_told(reader, tmp_path):
    reader.save(tmp_path)
    (tmp_path / "model/classifier.json").unlink()
    with pytest.raises(InputError, match=r"it lacks model\.keras"):
        SecondReader.load(tmp_path)
