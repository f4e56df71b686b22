import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from leukoscope.images import tiff_pages
from leukoscope.images.decoding import Limits, UnusableImageError, decode
from leukoscope.images.tiff_pages import Page, list_pages

LIMITS = Limits(min_side=16, max_pixels=50_000_000, max_bytes=100_000_000)
SIDE = 32
FORMATS = ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000"]


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def undecoded(monkeypatch):
    """Fails the test if anything opens the file."""
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))


def encode(pixels, form, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def refusal(data):
    with pytest.raises(UnusableImageError) as refused:
        decode(data, LIMITS)
    return str(refused.value)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def claim(data, form, side=7000):
    """Let a file claim a size that its content has not."""
    data, at, layout, plus = bytearray(data), 0, ">HH", 0
    match form:
        case "JPEG":
            at = data.index(b"\xff\xc0") + 5
        case "PNG":
            at, layout = 16, ">II"
        case "BMP":
            at, layout = 18, "<ii"
        case "GIF":
            at, layout = 6, "<HH"
        case "WEBP":
            at, layout = data.index(b"\x9d\x01\x2a") + 3, "<HH"
        case "JPEG2000":
            struct.pack_into(">II", data, data.index(b"ihdr") + 4, side, side)
            at, layout = data.index(b"\xff\x51") + 6, ">II"
            plus = 16  # the tile's size
    struct.pack_into(layout, data, at, side, side)
    if plus:
        struct.pack_into(layout, data, at + plus, side, side)
    if form == "PNG":
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "JPEG2000"])
def test_a_size_that_the_content_cannot_have_is_refused_before_decoding(noise, form, monkeypatch):
    data = claim(encode(noise, form), form)
    Image.init()
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert refusal(data) == f"truncated or damaged: 7000x7000 pixels cannot come from {len(data):,} bytes"


def test_a_size_that_pillow_refuses_is_too_large(noise):
    assert refusal(claim(encode(noise, "WEBP"), "WEBP", side=16_383)) == "too large: more than 50,000,000 pixels"


@pytest.mark.parametrize("data", [b"P6 7000 7000 255\n" + bytes(2000), b"P5 7000 7000 65535\n" + bytes(2000)])
def test_a_picture_that_is_not_there_is_truncated(data):
    assert refusal(data).startswith("truncated or damaged: image file is truncated")


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "WEBP"])
def test_what_compresses_well_is_decoded(form):
    pixels = np.full((2000, 2000, 3), 240, np.uint8)
    pixels[900:1100, 900:1100] = 90
    options = {"compression": "tiff_adobe_deflate"} if form == "TIFF" else {"lossless": True} if form == "WEBP" else {}
    decoded = decode(encode(pixels, form, **options), LIMITS).pixels
    assert decoded.shape == pixels.shape
    assert abs(int(decoded[1000, 1000, 0]) - 90) < 8


def test_plain_text_is_decoded_up_to_a_size():
    values = np.arange(SIDE * SIDE * 3) % 256
    digits = " ".join(map(str, values)).encode()
    small = decode(b"P3 %d %d 255\n%s\n" % (SIDE, SIDE, digits), LIMITS).pixels
    assert small.ravel().tolist() == values.tolist()
    assert refusal(b"P3 1200 1200 255\n" + digits) == (
        f"too large for plain text: 4,320,000 values in {len(digits) + 17:,} bytes, more than 4,000,000; save it as PNG"
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P2 32 32 255\n" + b"#\n" * 2_000 + b"1 2 " * 512, "more than 1,000 comments"),
        (b"P6 32 32 #" + b"a" * 100_000 + b"\n255\n" + bytes(3072), "a header of more than 65,536 bytes"),
    ],
)
@pytest.mark.usefixtures("undecoded")
def test_a_text_that_keeps_the_decoder_busy_is_refused(data, reason):
    assert refusal(data) == f"truncated or damaged: it has {reason}"


def test_an_unusual_range_is_scaled_up_to_a_size():
    values = np.random.default_rng(0).integers(0, 101, (SIDE, SIDE, 3), np.uint8)
    decoded = decode(b"P6 %d %d 100\n%s" % (SIDE, SIDE, values.tobytes()), LIMITS).pixels
    assert np.abs(decoded - values * 2.55).max() <= 0.51
    assert refusal(b"P6 1200 1200 100\n" + values.tobytes()).startswith("too large for a range other than 0-255")


def test_run_length_encoding_is_decoded_up_to_a_size():
    def write(side, rows):
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 256, 0)
        colours = b"".join(bytes([value, value, value, 0]) for value in range(256))
        return b"BM" + struct.pack("<IHHI", 1078 + len(rows), 0, 0, 1078) + header + colours + rows

    rows = b"".join(bytes([16, value, 16, 200, 0, 0]) for value in range(SIDE)) + b"\0\1"
    decoded = decode(write(SIDE, rows), LIMITS).pixels
    assert decoded[::-1, 0, 0].tolist() == list(range(SIDE))
    assert refusal(write(2100, rows)).startswith("too large for run-length encoding")


@pytest.mark.usefixtures("undecoded")
def test_a_jpeg_of_countless_parts_is_refused(noise):
    data = encode(noise, "JPEG")
    segments, fill = b"\xff\xe0\x00\x02" * 60_000, b"\xff" * 60_000
    for more in (segments, fill, bytes(60_000)):
        assert refusal(data[:20] + more + data[20:]) == (
            "truncated or damaged: it has more than 50,000 segments or bytes between them"
        )
    scan = data[data.index(b"\xff\xda") : -2]
    assert refusal(data[:-2] + scan * 100 + data[-2:]) == "truncated or damaged: it has more than 100 scans"
    assert refusal(b"\xff\xd8\xff\xd9" + bytes(60_000)) == "truncated or damaged: it has no scan"


def test_a_jpeg_with_some_filling_is_decoded(noise):
    data = encode(noise, "JPEG")
    filled = data[:2] + b"\xff" * 100 + data[2:]
    assert (decode(filled, LIMITS).pixels == decode(data, LIMITS).pixels).all()


@pytest.mark.usefixtures("undecoded")
def test_other_files_of_countless_parts_are_refused(noise):
    png = encode(noise, "PNG")
    assert refusal(png[:33] + chunk(b"aaAa", b"") * 50_001 + png[33:]) == (
        "truncated or damaged: it has more than 50,000 chunks"
    )
    gif = encode(noise, "GIF")
    start = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    assert refusal(gif[:start] + b"\x21\xfe\x01x\x00" * 500_001 + gif[start:]) == (
        "truncated or damaged: it has more than 1,000,000 blocks"
    )
    jp2 = bytearray(encode(noise, "JPEG2000"))
    struct.pack_into(">IIIIII", jp2, jp2.index(b"\xff\x51") + 6, 1100, 1100, 0, 0, 10, 10)
    assert refusal(bytes(jp2)) == "truncated or damaged: it has more than 10,000 tiles"


def test_only_the_beginning_of_an_animation_is_looked_at(noise, monkeypatch):
    data = encode(noise, "GIF", save_all=True, append_images=[Image.fromarray(noise[::-1])])
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    assert refusal(data).startswith("several frames: an animation or a stack")


def write_tiff(*pages, order="<", big=False, chain=None, **more):
    """Write pages of grey pixels with the tags that ``more`` adds; the last one leads on to the page ``chain``."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    data = bytearray(head + (struct.pack(f"{order}HHQ", 8, 0, 0) if big else bytes(4)))
    field, tag, places, link = ("Q", "HHQQ", [], 8) if big else ("I", "HHII", [], 4)
    for pixels, kind in pages:
        at = len(data)
        data += pixels.tobytes()
        height, width = pixels.shape
        values = {254: kind, 256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: at, 277: 1, 278: height}
        values |= {279: pixels.size, **{int(name[1:]): value for name, value in more.items()}}
        struct.pack_into(order + field, data, link, len(data))
        places.append(len(data))
        data += struct.pack(order + ("Q" if big else "H"), len(values))
        for name, value in sorted(values.items()):
            data += struct.pack(order + tag, name, 16 if big else 4, 1, value)
        link = len(data)
        data += bytes(8 if big else 4)
    struct.pack_into(order + field, data, link, 0 if chain is None else places[chain])
    return bytes(data)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_pages_are_read_in_all_kinds_of_tiff(noise, order, big):
    data = write_tiff((noise[:, :, 0], 0), (noise[::2, :8, 0], 1), order=order, big=big)
    assert list(list_pages(data)) == [Page(SIDE, SIDE, False, 0, 1), Page(8, SIDE // 2, True, 0, 1)]
    assert (decode(data, LIMITS).pixels == noise[:, :, :1]).all()


@pytest.mark.parametrize(
    ("side", "kind", "accepted"),
    [(SIDE // 2, 0, True), (SIDE - 1, 1, True), (SIDE, 1, False), (SIDE - 1, 0, False), (2 * SIDE, 1, False)],
)
def test_a_preview_is_no_further_frame(side, kind, accepted):
    pixels = np.random.default_rng(1).integers(0, 255, (2 * SIDE, 2 * SIDE), np.uint8)
    first = pixels[:SIDE, :SIDE]
    data = write_tiff((first, 0), (pixels[:side, :side], kind))
    if accepted:
        assert (decode(data, LIMITS).pixels[:, :, 0] == first).all()
    else:
        assert refusal(data).startswith("several frames: an animation or a stack")


def test_a_picture_among_previews_makes_a_stack(noise):
    grey = noise[:, :, 0]
    data = write_tiff((grey, 0), (grey[:8, :8], 1), (grey[::-1], 0))
    assert refusal(data).startswith("several frames")


@pytest.mark.parametrize(("pages", "chain"), [(300, None), (2, 1), (2, 0)])
def test_a_long_or_circular_chain_of_pages_is_not_followed(noise, monkeypatch, pages, chain):
    data = write_tiff(*[(noise[:, :, 0], 0)] * pages, chain=chain)
    read, looked_at = tiff_pages._read_page, []
    monkeypatch.setattr(tiff_pages, "_read_page", lambda *given: looked_at.append(1) or read(*given))
    assert refusal(data).startswith("several frames")
    assert len(looked_at) == 2


def test_a_page_that_leads_back_to_itself_is_one(noise):
    data = write_tiff((noise[:, :, 0], 0), chain=0)
    assert (decode(data, LIMITS).pixels == noise[:, :, :1]).all()


def test_countless_previews_are_no_picture(noise):
    grey = noise[:, :, 0]
    assert refusal(write_tiff((grey, 0), *[(grey[:2, :2], 1)] * 80)) == (
        "truncated or damaged: it has a further page that cannot be read"
    )


def test_a_chain_that_leads_out_of_the_file_is_damage(noise):
    data = bytearray(write_tiff((noise[:, :, 0], 0)))
    data[-4:] = struct.pack("<I", 10_000_000)
    assert refusal(bytes(data)) == "truncated or damaged: it has a further page that cannot be read"


@pytest.mark.usefixtures("undecoded")
def test_countless_strips_and_huge_tiles_are_refused(noise):
    data = bytearray(write_tiff((noise[:, :, 0], 0)))
    struct.pack_into("<I", data, data.index(struct.pack("<HH", 273, 4)) + 4, 1_000_000)
    assert refusal(bytes(data)) == ("truncated or damaged: it has 1,000,000 strips, tiles or tags, more than 200,000")
    tiled = write_tiff((noise[:, :, 0], 0), t322=16_384, t323=65_536)
    assert refusal(tiled) == "truncated or damaged: it has a tile of 1,073,741,824 pixels"


def write_deflated(strips):
    """Write a deflated TIFF of 32 pixels a side and as many strips."""
    content = b"".join(strips)
    starts = np.cumsum([8, *map(len, strips)])[:-1]
    tables = 8 + len(content)
    tags = [(256, 4, 1, SIDE), (257, 4, 1, SIDE), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    count = len(strips)
    tags += [(273, 4, count, tables), (278, 4, 1, SIDE // count), (279, 4, count, tables + 4 * count)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags)) + bytes(4)
    lengths = np.array([len(strip) for strip in strips], "<u4").tobytes()
    head = b"II*\0" + struct.pack("<I", tables + 8 * count)
    return head + content + starts.astype("<u4").tobytes() + lengths + directory


class CountingInflater:
    """Inflates, and counts what comes out."""

    bytes_out = 0

    def __init__(self):
        self._stream = zlib_decompressobj()

    def decompress(self, *given):
        content = self._stream.decompress(*given)
        CountingInflater.bytes_out += len(content)
        return content

    @property
    def eof(self):
        return self._stream.eof


zlib_decompressobj = zlib.decompressobj


def test_a_strip_is_inflated_to_its_pixels_only(noise, monkeypatch):
    monkeypatch.setattr(CountingInflater, "bytes_out", 0)
    monkeypatch.setattr(zlib, "decompressobj", CountingInflater)
    monkeypatch.setattr(zlib, "decompress", lambda *_: pytest.fail("inflated without a bound"))
    grey = noise[:, :, 0].tobytes()
    data = write_deflated([zlib.compress(grey[:512]), zlib.compress(grey[512:] + bytes(50_000_000))])
    assert (decode(data, LIMITS).pixels == noise[:, :, :1]).all()
    assert CountingInflater.bytes_out <= 2 * (512 + 1)


def test_a_strip_with_a_wrong_checksum_is_damaged(noise):
    grey = noise[:, :, 0].tobytes()
    first, second = zlib.compress(grey[:512]), zlib.compress(grey[512:])
    assert (decode(write_deflated([first, second]), LIMITS).pixels == noise[:, :, :1]).all()
    wrong = second[:-1] + bytes([second[-1] ^ 1])
    assert refusal(write_deflated([first, wrong])) == (
        "truncated or damaged: Error -3 while decompressing data: incorrect data check"
    )


def test_strips_that_share_the_whole_file_are_refused(noise):
    data = bytearray(encode(noise, "TIFF", compression="tiff_lzw", tiffinfo={278: 1}))
    tags = Image.open(io.BytesIO(data)).tag_v2
    offsets, lengths = (struct.pack(f"<{SIDE}{'I' if tags.tagtype[n] == 4 else 'H'}", *tags[n]) for n in (273, 279))
    assert len(tags[273]) == SIDE
    kind = "I" if tags.tagtype[273] == 4 else "H"
    data[(at := data.index(offsets)) : at + len(offsets)] = struct.pack(f"<{SIDE}{kind}", *[8] * SIDE)
    kind, most = ("I", len(data) - 8) if tags.tagtype[279] == 4 else ("H", min(len(data) - 8, 65_535))
    data[(at := data.index(lengths)) : at + len(lengths)] = struct.pack(f"<{SIDE}{kind}", *[most] * SIDE)
    assert refusal(bytes(data)) == "truncated or damaged: its strips or tiles are longer than the file"


def test_a_huge_profile_is_not_used(noise):
    decoded = decode(encode(noise, "TIFF", icc_profile=bytes(17 * 2**20)), LIMITS)
    assert decoded.warning == "its ICC profile has 17,825,792 bytes: colours are taken for sRGB"
    assert (decoded.pixels == noise).all()


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_that_inflates_hugely_is_refused(noise, kind):
    png = encode(noise, "PNG")
    key = b"k\0\1\0\0\0" if kind == b"iTXt" else b"k\0\0"
    assert refusal(png[:33] + chunk(kind, key + zlib.compress(bytes(20_000_000))) + png[33:]).startswith(
        "truncated or damaged: Decompressed data too large"
    )


def damage(data, rng):
    """Flip bits, mostly near the beginning, or cut the end off."""
    spoiled = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        most = min(len(data), 700) if rng.random() < 0.8 else len(data)
        spoiled[rng.integers(most)] ^= 1 << rng.integers(8)
    return bytes(spoiled[: rng.integers(1, len(data))] if rng.random() < 0.2 else spoiled)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", [*FORMATS, "MPO", "LZW", "deflate", "PPM in digits"])
def test_a_damaged_file_is_an_image_or_has_a_reason(noise, form):
    match form:
        case "LZW" | "deflate":
            compression = {"LZW": "tiff_lzw", "deflate": "tiff_adobe_deflate"}[form]
            data = encode(noise, "TIFF", compression=compression)
        case "MPO":
            data = encode(noise, "MPO", save_all=True, append_images=[Image.fromarray(noise[::-1])])
        case "PPM in digits":
            data = b"P3 32 32 255\n" + " ".join(map(str, noise.ravel())).encode()
        case _:
            data = encode(noise, form)
    rng = np.random.default_rng([len(form), 11])
    outcomes = [try_to_decode(damage(data, rng)) for _ in range(150)]
    reasons = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert reasons
    assert all(reason.strip() for reason in reasons)


def try_to_decode(data):
    """Give the shape of what is decoded, or the reason; any other error fails the test."""
    try:
        pixels = decode(data, LIMITS._replace(max_pixels=1_000_000)).pixels
    except UnusableImageError as refused:
        return str(refused)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return pixels.shape
