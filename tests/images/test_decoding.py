import io
import zlib

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageEnhance

from leukoscope.images.decoding import Limits, UnusableImageError, decode, perceptual_hash, resize

LIMITS = Limits(min_side=16, max_pixels=10_000, max_bytes=1_000_000)
SHAPE = (48, 64)


def encode(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def decoded(image, form="PNG", **options):
    return decode(encode(image, form, **options), LIMITS).pixels.astype(int)


def plain(colour, mode="RGB"):
    return Image.new(mode, SHAPE[::-1], colour)


def marked(colour, mode="RGB"):
    """One colour, but for a corner: what is of one colour altogether is refused."""
    image = plain(colour, mode)
    for left, grey in ((0, 0), (8, 255)):
        image.paste(Image.new("L", (8, 8), grey).convert(mode), (left, 0))
    return image


def quadrants():
    """Red, green, blue and white, so that every turn shows."""
    pixels = np.full((*SHAPE, 3), 255, np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"empty file \(0 bytes\)"),
        (b"no image at all", "not an image of a known format"),
        (b"\x00\x05\x16\x07 .DS_Store", "not an image of a known format"),
        (b"PK\x03\x04 and so on", "an archive, not an image"),
        (encode(quadrants(), "JPEG")[:-50], "truncated or damaged: Premature end of JPEG file"),
        (encode(quadrants(), "PNG")[:-60], "truncated or damaged: image file is truncated"),
        (encode(quadrants(), "TIFF", compression="tiff_lzw")[:-60], "truncated or damaged: it begins as a TIFF"),
        (encode(quadrants(), "EPS"), "not an image of a known format"),
        (encode(plain(0, "F"), "TIFF"), "pixel mode F has no known range"),
        (encode(plain(0).resize((8, 400))), "too small: 8x400 pixels, less than the 16 of ingestion.min_side"),
        (
            encode(plain(0).resize((101, 100))),
            "too large: 101x100 pixels, more than the 10,000 of ingestion.max_pixels",
        ),
    ],
)
def test_what_cannot_be_used_has_a_reason(data, reason):
    with pytest.raises(UnusableImageError, match=f"^{reason}"):
        decode(data, LIMITS)


def test_a_bomb_is_refused_by_its_header_alone(monkeypatch):
    data = bytearray(encode(plain(0)))
    data[16:24] = (60_000).to_bytes(4) * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(UnusableImageError, match="too large"):
        decode(bytes(data), LIMITS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30, "optimize": True}])
def test_a_jpeg_is_decoded_as_pillow_does(monkeypatch, options):
    data = encode(cells(seed=3), "JPEG", **options)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded by Pillow"))
    assert (decode(data, LIMITS._replace(max_pixels=10**6)).pixels == expected).all()


def test_zeros_before_the_end_of_a_sound_jpeg_are_no_damage():
    data = encode(quadrants(), "JPEG", quality=95)
    flawed = data[:-2] + b"\x00" * 40 + data[-2:]
    with pytest.raises(ValueError, match="extraneous bytes"):
        simplejpeg.decode_jpeg(flawed)
    assert (decode(flawed, LIMITS).pixels == decode(data, LIMITS).pixels).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_are_refused(form):
    data = encode(quadrants(), form, save_all=True, append_images=[plain("red"), plain("blue")])
    with pytest.raises(UnusableImageError, match="several frames: an animation"):
        decode(data, LIMITS)


def test_a_phones_jpeg_gives_its_first_picture():
    data = encode(quadrants(), "MPO", save_all=True, append_images=[plain("red")])
    assert tuple(decode(data, LIMITS).pixels[40, 60]) == (255, 255, 255)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM"])
def test_a_format_gives_its_colours(form):
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
    difference = np.abs(decoded(quadrants(), form, **options) - np.asarray(quadrants()).astype(int))
    assert np.median(difference) <= 2


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (marked(100, "L"), (100, 100, 100)),
        (marked(1, "1"), (255, 255, 255)),
        (marked("red").convert("P"), (255, 0, 0)),
        (marked((0, 0, 200, 0), "RGBA"), (255, 255, 255)),
        (marked((0, 0, 200, 51), "RGBA"), (204, 204, 244)),
        (marked((100, 0), "LA"), (255, 255, 255)),
    ],
    ids=["grey", "1-bit", "palette", "transparent", "translucent", "transparent grey"],
)
def test_a_mode_becomes_rgb(image, expected):
    assert np.abs(decoded(image)[:, 16:] - expected).max() <= 1


def test_a_transparent_palette_lies_on_white():
    image = marked("red").convert("P")
    shown = decoded(image, transparency=image.getpixel((40, 40)))
    assert (shown[:, 16:] == 255).all()
    assert (shown[:8, :8] == 0).all()


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257, 1), (32_896, 128), (65_535, 255), (400, 2)])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(form, value, expected):
    values = np.full(SHAPE, value, np.uint16)
    values[:8, :8], values[:8, 8:16] = 0, 65_535
    assert (decoded(Image.fromarray(values), form)[:, 16:] == expected).all()


@pytest.mark.parametrize("colour", ["white", "black", (200, 150, 180)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
def test_one_colour_is_no_image(form, colour):
    with pytest.raises(UnusableImageError, match=r"^one colour: every pixel is about"):
        decode(encode(plain(colour), form), LIMITS)
    shown = decode(encode(marked(colour)), LIMITS).pixels
    assert tuple(shown[40, 40]) == tuple(plain(colour).getpixel((0, 0)))


def without_adobe_marker(data):
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]


def test_cmyk_is_inverted_only_where_adobe_did():
    cyan = plain((255, 0, 0, 0), "CMYK")
    cyan.paste((255, 255, 255, 255), (0, 0, 8, 8))
    adobe = encode(cyan, "JPEG", quality=95)
    bare = without_adobe_marker(adobe)
    for data, expected in ((adobe, (0, 255, 255)), (bare, (0, 0, 0)), (encode(cyan, "TIFF"), (0, 255, 255))):
        assert np.abs(decode(data, LIMITS).pixels.astype(int)[16:, 16:] - expected).max() <= 3


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = quadrants().transpose(undo[orientation]) if orientation in undo else quadrants()
    shown = decoded(stored, form, exif=exif, quality=95)
    assert shown.shape == (*SHAPE, 3)
    assert np.median(np.abs(shown - np.asarray(quadrants()))) <= 4


def test_the_mode_is_that_of_the_file():
    assert decode(encode(marked(3, "L")), LIMITS).mode == "L"


def test_resizing_averages_fine_patterns():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32))).convert("RGB")
    assert np.abs(resize(np.asarray(stripes), 16)[:, 2:-2].astype(int) - 127).max() <= 8


def distance(one, other):
    return (int(perceptual_hash(np.asarray(one)), 16) ^ int(perceptual_hash(np.asarray(other)), 16)).bit_count()


def cells(seed, size=224):
    """Dark and pale disks on a light, uneven ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    pixels = np.full((size, size, 3), 235.0) - (x * rng.uniform(0, 12) / size)[..., None]
    for number in range(40):
        radius = rng.uniform(5, 9) if number < 32 else rng.uniform(12, 18)
        inside = np.hypot(x - rng.uniform(0, size), y - rng.uniform(0, size)) < radius
        pixels[inside] = (190, 180, 205) if number < 32 else (110, 60, 160)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))


def spoil(image, kind):
    if kind == "recompressed":
        return decode(encode(image, "JPEG", quality=60), LIMITS._replace(max_pixels=10**6)).pixels
    if kind == "brightened":
        return np.asarray(ImageEnhance.Brightness(image).enhance(1.05))
    return resize(np.asarray(image.resize((213, 213), Image.Resampling.LANCZOS)), 224)


@pytest.mark.parametrize("kind", ["recompressed", "brightened", "resized"])
@pytest.mark.parametrize("seed", range(3))
def test_a_spoiled_copy_keeps_its_hash_within_the_default_distance(kind, seed):
    assert distance(cells(seed), spoil(cells(seed), kind)) <= 40


def test_other_fields_have_other_hashes():
    fields = [cells(seed) for seed in range(12)]
    assert min(distance(a, b) for n, a in enumerate(fields) for b in fields[:n]) > 60
