import base64
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.serving.requests import RequestLimits, decode_request
from tiny_reader import encode, make_reader, shade, vary

LIMITS = RequestLimits(max_images=3, max_bytes=5_000, max_pixels=5_000, max_request_pixels=9_000)
FIELD = vary(shade(100))
PICTURE = encode(FIELD)
TEXT = base64.b64encode(PICTURE).decode()


@pytest.fixture(scope="module")
def reader():
    return make_reader()


def ask(reader, *images) -> np.ndarray:
    return np.stack([field.pixels for field in decode_request(pd.DataFrame({"image": list(images)}), reader, LIMITS)])


@pytest.mark.parametrize(
    "image",
    [
        PICTURE,
        bytearray(PICTURE),
        TEXT,
        f"data:image/png;base64,{TEXT}",
        FIELD,
        FIELD.tolist(),
        vary(shade(100, 64)).astype("int64"),
        np.array(TEXT),
    ],
    ids=["bytes", "bytearray", "base64", "data url", "array", "lists", "larger array", "text without axes"],
)
def test_an_image_may_come_in_many_forms(reader, image):
    assert np.abs(ask(reader, image).astype(int) - FIELD).max() <= 1  # the larger one is resized


def test_an_array_of_one_colour_is_no_image(reader):
    with pytest.raises(InputError, match=r"image 2 of 2: one colour: every pixel is about \(255, 255, 255\)"):
        ask(reader, FIELD, shade(255))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "empty file"),
        (b"no image", "not an image of a known format"),
        (PICTURE[:60], "truncated or damaged"),
        ("", "empty file"),
        ("!!!", "not base64"),
        ("a" * 40_000, "too large: 30,000 bytes, more than 5,000"),
        (bytes(6_000), "too large: 6,000 bytes"),
        (None, r"an array of shape \[\]"),
        (3.5, r"an array of shape \[\]"),
        (np.zeros((4, 4), "uint8"), r"an array of shape \[4, 4\]"),
        (np.zeros((0, 4, 3), "uint8"), "4x0 pixels: expected a side of 16 or more"),
        (shade(100, 8), "8x8 pixels: expected a side of 16 or more"),
        (shade(100, 80), "80x80 pixels: .*5,000 pixels at the most"),
        (encode(shade(100, 80)), "too large: 80x80 pixels, more than the 5,000"),
        ("bild-\u00e4", "not base64"),
        (shade(100) / 255, "pixels of float64, not whole numbers"),
        (shade(100).astype(str), "pixels of <U3, not whole numbers"),
        (np.full((32, 32, 3), None), "pixels of object, not whole numbers"),
        (shade(100).astype(int) * 3, "pixels from 300 to 300, not 0-255"),
        ([[[1, 2, 3]], [[1, 2]]], "no array|an array of shape"),
        ([[[10**30] * 3] * 32] * 32, "pixels of more than 64 bits"),
        ([[[1.0] * 3] * 32] * 32, "pixels of object, not whole numbers"),
        ([[[True] * 3] * 32] * 32, "pixels of object, not whole numbers"),
        ([[[256] * 3] * 32] * 32, "pixels from 256 to 256, not 0-255"),
    ],
)
def test_what_is_no_image_is_named(reader, image, message):
    with pytest.raises(InputError, match=f"image 2 of 2: .*({message})"):
        ask(reader, PICTURE, image)


def test_all_faults_are_named_at_once(reader):
    with pytest.raises(InputError, match=r"image 1 of 3: .*image 3 of 3: "):
        ask(reader, b"", PICTURE, b"x")


def test_too_many_images_and_none(reader):
    with pytest.raises(InputError, match="holds 4 images, and 3 are allowed"):
        ask(reader, *[PICTURE] * 4)
    with pytest.raises(InputError, match="holds no image"):
        ask(reader)


def test_a_request_of_too_many_pixels_is_refused_before_any_is_decoded(reader, monkeypatch):
    decoded = []
    monkeypatch.setattr(type(reader), "decode", lambda *_: decoded.append(1))
    large = encode(shade(100, 60))
    with pytest.raises(InputError, match=r"have 10,800 pixels, and 9,000 are allowed in one request"):
        ask(reader, large, base64.b64encode(large).decode(), vary(shade(100, 60)))
    assert decoded == []


def test_as_many_pixels_as_are_allowed_are_read(reader):
    assert len(ask(reader, encode(shade(100, 60)), encode(shade(100, 60)), encode(shade(100, 40)))) == 3


def test_a_long_text_among_short_ones_takes_no_more_memory_than_it_has(reader):
    item = ["a" * 200_000, *"b" * 200]
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"an array of shape \[201\]"):
            ask(reader, item)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # as text of one length they take 160 MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("columns", [["picture"], ["image", "image"]])
def test_a_table_without_one_column_of_images_is_refused(reader, columns):
    with pytest.raises(InputError, match="no single column `image`"):
        decode_request(pd.DataFrame([[PICTURE] * len(columns)], columns=columns), reader, LIMITS)
