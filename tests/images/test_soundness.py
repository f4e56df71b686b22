import io
import os
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukoscope.images.decoding import Limits, UnusableImageError, decode
from leukoscope.synthetic import draw_smear

LIMITS = Limits(min_side=16, max_pixels=10_000_000, max_bytes=10_000_000)
# How a format is written, and whether it has checksums or gives damage away in some other way.
FORMATS = {
    "JPEG": ("JPEG", {"quality": 90}),
    "optimised JPEG": ("JPEG", {"quality": 85, "optimize": True}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {}),
    "BMP": ("BMP", {}),
    "PPM": ("PPM", {}),
    "TIFF": ("TIFF", {}),
    "LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "WebP": ("WEBP", {"quality": 90}),
    "lossless WebP": ("WEBP", {"lossless": True}),
    "GIF": ("GIF", {}),
    "JPEG 2000": ("JPEG2000", {}),
}


def zero(data, start, end):
    first, last = int(start * len(data)), int(end * len(data))
    return data[:first] + bytes(last - first) + data[last:]


DAMAGE = {
    "a zeroed second half": lambda data: zero(data, 0.5, 1),
    "a zeroed middle": lambda data: zero(data, 0.4, 0.6),
    "a zeroed end": lambda data: zero(data, 0.85, 1),
    "a zeroed beginning": lambda data: zero(data, 0, 0.5),
    "30 % left": lambda data: data[: int(0.3 * len(data))],
    "60 % left": lambda data: data[: int(0.6 * len(data))],
    "90 % left": lambda data: data[: int(0.9 * len(data))],
}


def encode(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def write(image, name):
    form, options = FORMATS[name]
    return encode(image, form, **options)


@pytest.fixture(scope="module")
def smear() -> Image.Image:
    return Image.fromarray(draw_smear("Pre", np.random.default_rng(3), 128))


@pytest.fixture(scope="module")
def cell() -> Image.Image:
    """A single cell on pure black."""
    y, x = np.mgrid[:150, :150]
    inside = np.hypot((x - 74) / 48, (y - 77) / 40) < 1
    pixels = np.zeros((150, 150, 3), np.uint8)
    noise = np.random.default_rng(1).integers(0, 30, (150, 150, 3), np.uint8)
    pixels[inside] = (np.array([120, 60, 150], np.uint8) + noise)[inside]
    return Image.fromarray(pixels)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_refused(smear, name, damage):
    with pytest.raises(UnusableImageError, match=r"^(truncated or damaged|not an image|several frames)"):
        decode(DAMAGE[damage](write(smear, name)), LIMITS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("more", [b"", bytes(600), b"trailing bytes"], ids=["nothing", "zeros", "text"])
def test_a_sound_file_is_accepted_whatever_follows_it(smear, cell, name, more):
    for image in (smear, cell):
        data = write(image, name)
        shown = decode(data + more, LIMITS)
        assert (shown.pixels == np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))).all()
        assert shown.warning is None


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_no_jpeg_goes_another_way(smear, mode):
    data = encode(smear.convert(mode), "JPEG", quality=90)
    assert decode(data, LIMITS).mode == mode
    with pytest.raises(UnusableImageError, match=r"^truncated or damaged: Premature end of JPEG file"):
        decode(zero(data, 0.5, 1), LIMITS)


def test_a_turned_jpeg_is_checked_too(smear):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(smear, "JPEG", exif=exif)
    upright = np.asarray(Image.open(io.BytesIO(data)))
    assert (decode(data, LIMITS).pixels == np.rot90(upright, -1)).all()
    with pytest.raises(UnusableImageError, match=r"^truncated or damaged"):
        decode(zero(data, 0.5, 1), LIMITS)


def test_a_few_zeros_in_a_jpeg_are_found_though_libjpeg_says_nothing(smear):
    data = encode(smear, "JPEG", quality=90)
    scan = data.index(b"\xff\xda") + 400
    refused = []
    for start in range(scan, scan + 400, 10):
        with pytest.raises(UnusableImageError, match=r"^truncated or damaged") as error:
            decode(data[:start] + bytes(64) + data[start + 64 :], LIMITS)
        refused.append(str(error.value))
    assert any("a part of the compressed data is zeros" in reason for reason in refused)


def test_plain_areas_of_a_jpeg_may_be_zeros(cell):
    data = encode(cell.resize((900, 900), Image.Resampling.NEAREST), "JPEG", optimize=True)
    assert bytes(64) in data
    assert decode(data, LIMITS).warning is None


def test_large_empty_fields_may_be_zeros(cell):
    field = Image.new("RGB", (3000, 3000))
    field.paste(cell, (1400, 1500))
    data = encode(field, "WEBP", quality=90)
    assert bytes(64) in data
    assert decode(data, LIMITS).warning is None


@pytest.mark.parametrize("name", ["BMP", "PPM", "TIFF"])
def test_a_cell_that_is_cut_off_is_accepted_with_a_warning(cell, name):
    """On black nothing is sure: what lies behind may be black as well."""
    shown = decode(zero(write(cell, name), 0.5035, 1), LIMITS)
    assert shown.warning == "perhaps damaged: 50% of the pixels are black in one piece that cuts off what is shown"


def test_a_black_bar_is_a_warning(smear):
    pixels = np.asarray(smear).copy()
    pixels[-20:] = 0
    warning = decode(encode(Image.fromarray(pixels), "BMP"), LIMITS).warning
    assert warning == "perhaps damaged: 16% of the pixels are black in one piece"


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_DATA" not in os.environ, reason="LEUKOSCOPE_DATA does not name the real smears' folder")
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_real_smears_are_refused_and_others_are_not(name):
    paths = sorted(Path(os.environ["LEUKOSCOPE_DATA"]).rglob("*.jpg"))
    for path in random.Random(0).sample(paths, 50):
        data = write(Image.open(path), name)
        assert decode(data, LIMITS).warning is None
        for damage in ("a zeroed second half", "a zeroed middle"):
            with pytest.raises(UnusableImageError, match=r"^(truncated or damaged|several frames)"):
                decode(DAMAGE[damage](data), LIMITS)
