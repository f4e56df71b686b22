import io
import zlib

import numpy as np
import pytest
import tifffile

from leukoscope.images.decoding import Limits, UnusableImageError, decode

LIMITS = Limits(min_side=16, max_pixels=10_000, max_bytes=1_000_000)


def field(bits, channels=None):
    """A bright field with darker cells, as a camera of so many bits gives it."""
    shape = (48, 64) if channels is None else (48, 64, channels)
    shares = np.random.default_rng(0).uniform(0.2, 1, shape)
    shares[0, 0] = 1
    return np.rint(shares * (2**bits - 1)).astype(np.uint16)


def as_tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="minisblack" if values.ndim == 2 else "rgb", **options)
    return file.getvalue()


def with_largest(values, largest):
    count = 1 if values.ndim == 2 else 3
    return as_tiff(values, extratags=[(281, "H", count, largest if count == 1 else (largest,) * 3, True)])


def as_png(values, bits=None):
    """Write 16 bits a channel, with a chunk sBIT if asked."""
    channels = 1 if values.ndim == 2 else 3
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = values.shape[1].to_bytes(4) + values.shape[0].to_bytes(4) + bytes([16, 0 if channels == 1 else 2, 0, 0, 0])
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if bits:
        chunks.insert(1, (b"sBIT", bytes([bits] * channels)))
    pack = [len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4) for kind, body in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pack)


@pytest.mark.parametrize("write", [as_tiff, as_png])
@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_that_nobody_tells_of_are_refused(write, channels, bits):
    with pytest.raises(UnusableImageError, match=rf"^16 bits a channel of which only {bits} are used"):
        decode(write(field(bits, channels)), LIMITS)


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_that_the_file_tells_of_are_scaled(channels, bits):
    values = field(bits, channels)
    shown = decode(with_largest(values, 2**bits - 1), LIMITS)
    expected = np.rint(values / (2**bits - 1) * 255)
    assert np.abs(shown.pixels - (expected if channels else expected[..., None])).max() <= 1
    assert shown.pixels.max() == 255
    assert shown.warning is None


def test_a_grey_png_tells_by_its_significant_bits():
    values = field(12)
    assert np.abs(decode(as_png(values, 12), LIMITS).pixels[..., 0] - values / 4095 * 255).max() <= 0.5
    with pytest.raises(UnusableImageError, match="fewer than 16 bits of colour in a 16-bit PNG, which are not read"):
        decode(as_png(field(12, 3), 12), LIMITS)


def test_twelve_bits_in_a_pgm_are_scaled_by_its_header():
    values = field(12)
    data = b"P5\n64 48\n4095\n" + values.astype(">u2").tobytes()
    assert np.abs(decode(data, LIMITS).pixels[..., 0] - values / 4095 * 255).max() <= 0.51


@pytest.mark.parametrize("write", [as_tiff, as_png])
@pytest.mark.parametrize("channels", [None, 3])
def test_all_sixteen_bits_are_scaled_by_all(write, channels):
    values = field(16, channels)
    shown = decode(write(values), LIMITS)
    assert np.abs(shown.pixels - (values if channels else values[..., None]) / 65_535 * 255).max() <= 1
    assert shown.warning is None


@pytest.mark.parametrize("channels", [None, 3])
def test_a_dark_image_is_accepted_with_a_warning(channels):
    warning = decode(as_tiff(field(15, channels)), LIMITS).warning
    assert warning.startswith("dark: hardly a pixel is brighter than 32,7")


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_a_range_that_nobody_knows_is_refused(kind):
    with pytest.raises(UnusableImageError, match="has no known range: expected 8 or 16 bits a channel"):
        decode(as_tiff(field(8).astype(kind)), LIMITS)


def as_png_with_alpha(values):
    """Write 16 bits a channel with an opaque alpha channel."""
    alpha = np.full((*values.shape[:2], 1), 65_535, np.uint16)
    pixels = np.concatenate([values if values.ndim == 3 else values[..., None], alpha], axis=2)
    kind = {2: 4, 4: 6}[pixels.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = pixels.shape[1].to_bytes(4) + pixels.shape[0].to_bytes(4) + bytes([16, kind, 0, 0, 0])
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    pack = [len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pack)


@pytest.mark.parametrize("channels", [None, 3])
def test_an_opaque_alpha_channel_does_not_make_a_dark_image_bright(channels):
    with pytest.raises(UnusableImageError, match="of which only 12 are used"):
        decode(as_png_with_alpha(field(12, channels)), LIMITS)
    decode(as_png_with_alpha(field(16, channels)), LIMITS)


def test_a_hot_pixel_does_not_make_a_dark_image_bright():
    values = field(12, 3)
    values[20, 20] = 65_535
    for data in (as_tiff(values), as_png(values)):
        with pytest.raises(UnusableImageError, match="of which only 12 are used"):
            decode(data, LIMITS)
