import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from leukoscope.images.decoding import Limits, decode

LIMITS = Limits(min_side=16, max_pixels=10_000, max_bytes=1_000_000)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def make_profile(curve, space=b"RGB ", name="A camera"):
    """Write a profile of sRGB's primaries, or of grey, whose channels have a gamma of their own."""
    text = name.encode() + b"\0"
    description = b"desc" + bytes(4) + len(text).to_bytes(4) + text + bytes(79)
    gamma = b"curv" + bytes(4) + (1).to_bytes(4) + round(curve * 256).to_bytes(2) + bytes(2)

    def place(*xyz):
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65_536) for value in xyz))

    tags = {b"desc": description, b"wtpt": place(0.9642, 1, 0.8249), b"cprt": b"text" + bytes(4) + b"free\0"}
    if space == b"GRAY":
        tags |= {b"kTRC": gamma}
    else:
        tags |= {b"rXYZ": place(0.4361, 0.2225, 0.0139), b"gXYZ": place(0.3851, 0.7169, 0.0971)}
        tags |= {b"bXYZ": place(0.1431, 0.0606, 0.7139)} | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma)
    table, body = len(tags).to_bytes(4), b""
    for key, content in tags.items():
        table += key + (128 + 4 + 12 * len(tags) + len(body)).to_bytes(4) + len(content).to_bytes(4)
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    header = size.to_bytes(4) + bytes(4) + bytes([2, 0x10, 0, 0]) + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", 63_190, 65_536, 54_061)
    return header + bytes(128 - len(header)) + table + body


LINEAR = make_profile(1.0, name="A linear camera")


def smear():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))


def read(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return decode(file.getvalue(), LIMITS)


def to_srgb(linear):
    """IEC 61966-2-1, from 0-255 to 0-255."""
    share = linear / 255
    return 255 * np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_colours_become_srgb_and_the_manifest_says_so(form):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(form, {})
    plain = read(smear(), form, **options)
    shown = read(smear(), form, icc_profile=LINEAR, **options)
    assert np.abs(shown.pixels - to_srgb(plain.pixels)).max() <= 2
    assert shown.warning == "colours converted to sRGB from the ICC profile A linear camera"
    assert plain.warning is None


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_profile_of_srgb_changes_nothing(form):
    shown = read(smear(), form, icc_profile=SRGB)
    assert (shown.pixels == read(smear(), form).pixels).all()
    assert shown.warning is None


def test_a_grey_profile_is_of_grey_images():
    grey = smear().convert("L")
    shown = read(grey, icc_profile=make_profile(1.0, b"GRAY"))
    difference = np.abs(shown.pixels - to_srgb(np.asarray(grey))[..., None])
    assert np.median(difference) <= 1
    assert difference.max() <= 8  # in the shadows, where the curve is steep, and which come out as 48 and more
    assert shown.warning == "colours converted to sRGB from the ICC profile A camera"


@pytest.mark.parametrize(
    ("profile", "warning"),
    [
        (b"no profile at all", "its ICC profile is damaged: colours are taken for sRGB"),
        (LINEAR[:150], "its ICC profile is damaged: colours are taken for sRGB"),
        (make_profile(1.0, b"CMYK"), "its ICC profile is of CMYK, not of RGB: colours are taken for sRGB"),
    ],
)
def test_a_profile_that_cannot_be_used_is_a_warning(profile, warning):
    shown = read(smear(), icc_profile=profile)
    assert shown.warning.startswith(warning)
    assert (shown.pixels == np.asarray(smear())).all()


def test_cmyk_without_a_profile_is_a_guess():
    assert read(smear().convert("CMYK"), "TIFF").warning == "CMYK without an ICC profile: its colours are a guess"


def test_lab_becomes_srgb():
    lab = ImageCms.profileToProfile(
        smear(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    shown = read(lab, "TIFF")
    assert np.median(np.abs(shown.pixels.astype(int) - np.asarray(smear()))) <= 2
    assert shown.warning == "colours converted to sRGB from Lab"
