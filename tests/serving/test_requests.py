import base64

import numpy as np
import pandas as pd
import pytest

from leukoscope.errors import InputError
from leukoscope.serving.requests import RequestLimits, decode_request
from tiny_reader import SIZE, encode, make_reader, shade

LIMITS = RequestLimits(max_images=3, max_bytes=5_000)
PICTURE = encode(shade(100))
TEXT = base64.b64encode(PICTURE).decode()


@pytest.fixture(scope="module")
def reader():
    return make_reader()


def ask(reader, *images, column="image") -> np.ndarray:
    return decode_request(pd.DataFrame({column: list(images)}), reader, LIMITS)


@pytest.mark.parametrize(
    "image",
    [
        PICTURE,
        bytearray(PICTURE),
        TEXT,
        f"data:image/png;base64,{TEXT}",
        shade(100),
        shade(100).tolist(),
        shade(100, 50).astype("int64"),
        {"image": TEXT},
        {"image": np.array(TEXT)},
    ],
    ids=["bytes", "bytearray", "base64", "data url", "array", "lists", "larger array", "record", "record of text"],
)
def test_an_image_may_come_in_many_forms(reader, image):
    assert (ask(reader, image) == shade(100)[None]).all()


def test_a_single_column_of_any_name_will_do(reader):
    assert ask(reader, PICTURE, PICTURE, column=0).shape == (2, SIZE, SIZE, 3)


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
        (np.zeros((0, 4, 3), "uint8"), r"an array of shape \[0, 4, 3\]"),
        (shade(100) / 255, "not 0-255 integers"),
        (shade(100).astype(int) * 3, "not 0-255 integers"),
        ([[[1, 2, 3]], [[1, 2]]], "no array|an array of shape"),
    ],
)
def test_what_is_no_image_is_named(reader, image, message):
    with pytest.raises(InputError, match=f"image 2 of 2: .*({message})"):
        ask(reader, PICTURE, image)


def test_all_faults_are_named_at_once(reader):
    with pytest.raises(InputError, match=r"image 1 of 3: .*image 3 of 3: "):
        ask(reader, b"", PICTURE, b"x")


def test_too_many_images_none_and_a_table_of_something_else(reader):
    with pytest.raises(InputError, match="holds 4 images, and 3 are allowed"):
        ask(reader, *[PICTURE] * 4)
    with pytest.raises(InputError, match="holds no image"):
        ask(reader)
    with pytest.raises(InputError, match="has the columns a, b"):
        decode_request(pd.DataFrame({"a": [1], "b": [2]}), reader, LIMITS)
