import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import crafted_models
from leukoscope.app.reading import OCCLUSION, Desk
from leukoscope.app.rendering import blend, render_part
from leukoscope.core.errors import InputError
from leukoscope.evaluation.trust import ABSTAINED, UNLIKE, UNSURE
from leukoscope.images.decoding import UnusableImageError
from leukoscope.inference.explanation import GRAD_CAM, map_occlusion, overlay
from leukoscope.pipelines.explain.options import ExplanationOptions
from leukoscope.synthetic import write_smears
from tiny_reader import encode, shade, vary


def open_image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def with_exif(pixels: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "patient Jane Roe"
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", exif=exif)
    return content.getvalue()


def half_dark(size: int = 64) -> np.ndarray:
    pixels = shade(230, size).copy()
    pixels[:, : size // 2] = 60
    return pixels


def test_an_image_is_read_as_the_reader_reads_it(desk):
    image = desk.read(encode(shade(160)))
    said = desk.reader.read(vary(shade(160))[None]).opinions.iloc[0]
    assert (image.opinion, image.reason, image.likeliest) == ("Early", "", "Early")
    assert image.probabilities["Early"] == pytest.approx(said["probability_early"])
    assert image.malignant == pytest.approx(1 - image.probabilities["Benign"], abs=1e-6)
    assert image.ood_score == pytest.approx(said["ood_score"])


@pytest.mark.parametrize(("brightness", "reason"), [(130, UNSURE), (255, f"{UNLIKE}: unfamiliar features")])
def test_why_there_is_no_opinion(desk, brightness, reason):
    image = desk.read(encode(shade(brightness)))
    assert (image.opinion, image.reason) == (ABSTAINED, reason)
    assert image.likeliest in image.probabilities


def test_it_is_known_by_the_content_of_its_file_and_nothing_else(desk):
    content = encode(shade(160))
    assert desk.read(content).sha256 == hashlib.sha256(content).hexdigest()
    assert desk.read(content).file_name is None
    assert desk.read(content, "a.png").file_name == "a.png"


def test_nothing_of_exif_is_left(desk):
    content = with_exif(half_dark())
    assert b"Jane Roe" in content
    image = desk.read(content)
    desk.add_occlusion(image)
    for picture in (image.picture, image.thumbnail, *image.maps.values(), blend(image, GRAD_CAM, 0.5)):
        assert b"Jane Roe" not in picture
        assert not open_image(picture).getexif()


def test_a_file_that_the_reader_knows_is_told_so(desk, monkeypatch):
    content = encode(shade(160))
    seen = desk.reader.seen.copy()
    seen.loc[3, "sha256"] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(desk, "reader", replace(desk.reader, seen=seen))
    assert desk.read(content).seen_in == seen.loc[3, "split"]
    assert desk.read(encode(shade(161))).seen_in is None


def test_pictures_are_no_larger_than_asked_and_keep_their_shape(desk):
    picture = open_image(desk.read(encode(np.full((300, 600, 3), 160, np.uint8))).picture)
    assert picture.size == (200, 100)


def test_a_field_larger_than_its_picture_is_there_as_large_as_it_was_given_too(desk):
    pixels = np.kron(half_dark(30), np.ones((10, 10, 1), np.uint8))
    image = desk.read(with_exif(pixels))
    full = open_image(image.full)
    assert (image.width, image.height) == full.size == (300, 300)
    assert np.abs(np.asarray(full, int) - pixels).max() < 12
    assert b"Jane Roe" not in image.full
    assert max(open_image(image.thumbnail).size) == 128
    assert desk.read(encode(half_dark(200), "JPEG")).full is None


def test_an_overlay_is_that_of_the_explanations(desk):
    image = desk.read(encode(half_dark(), "BMP"))
    heat = np.asarray(open_image(image.maps[GRAD_CAM]))[..., 3] / 255
    small = image._replace(picture=encode(image.pixels))
    shown = np.asarray(open_image(blend(small, GRAD_CAM, 0.5)), int)
    assert np.abs(shown - overlay(image.pixels, heat, 0.5)).mean() < 4


def test_occlusion_comes_on_request_and_once(desk, monkeypatch):
    image = desk.read(encode(half_dark()))
    assert list(image.maps) == [GRAD_CAM]
    desk.add_occlusion(image)
    number = desk.reader.class_names.index(image.likeliest)
    expected = map_occlusion(desk.reader.predictor, image.pixels, number, 0.5, 0.5, 1)
    assert np.asarray(open_image(image.maps[OCCLUSION]))[..., 3] == pytest.approx(255 * expected, abs=1)
    before = image.maps[OCCLUSION]
    desk.add_occlusion(image)
    assert image.maps[OCCLUSION] is before


def test_the_nearest_training_images_come_with_class_and_picture(desk):
    nearest = desk.read(encode(shade(165))).nearest
    assert [one.label for one in nearest] == ["Early"] * 3
    assert nearest[0].image_id == "Shade/164"
    assert np.asarray(open_image(nearest[0].picture))[0, 0].tolist() == [164] * 3
    assert [one.distance for one in nearest] == sorted(one.distance for one in nearest)


def test_without_packed_images_the_nearest_are_named_only(desk):
    alone = Desk(desk.reader, desk.options, desk._explanation, 1)
    assert {(one.label, one.picture) for one in alone.read(encode(shade(160))).nearest} == {(None, None)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (encode(shade(160, 64), "JPEG")[:300], "truncated"),
        (encode(shade(160, 8)), "too small"),
        (encode(shade(160, 1200)), "too large"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(desk, content, reason):
    with pytest.raises(UnusableImageError, match=reason):
        desk.read(content)


def test_the_smaller_of_both_limits_of_size_holds(desk):
    assert desk.limits.max_bytes == 50_000
    assert desk.limits.max_pixels == desk.reader.limits.max_pixels


def test_a_drawn_image_is_known_as_one(desk, tmp_path):
    write_smears(tmp_path, {"Pro": 1}, 64, seed=1)
    assert desk.read((tmp_path / "Original/Pro/smear-pro-0001.jpg").read_bytes()).drawn
    assert not desk.read(encode(shade(160))).drawn


def test_a_reader_without_maps_in_closed_form_shows_occlusion_at_once(desk):
    own = Desk(crafted_models.make_reader(), desk.options, ExplanationOptions(patch=0.5, stride=0.5), seed=1)
    own.warm_up()
    image = own.read(encode(crafted_models.make_fields().pixels[5]))
    assert list(image.maps) == [OCCLUSION]
    assert blend(image, OCCLUSION, 0.5)


def test_what_an_opinion_rests_on_is_said_in_words(desk, about):
    asking = Desk(desk.reader.asking_again(), desk.options, ExplanationOptions(patch=0.5, stride=0.5), 1)
    image = asking.read(encode(shade(160)))
    assert (image.opinion, image.reason, image.likeliest) == (ABSTAINED, "rests on stain and light", "Early")
    words = " ".join(str(render_part("opinion", image, about)).split())
    assert "Abstained: rests on stain and light" in words
    assert "If a change of stain and light can reverse an opinion, none is given." in words
    assert "out-of-distribution" not in words


def test_opinions_are_logged_only_where_that_was_asked_for(desk, caplog):
    kept = []

    def keep(rows):
        kept.append(rows)
        raise InputError("the disk is full")

    logging_desk = Desk(desk.reader, desk.options, desk._explanation, 1, keep=keep)
    image = logging_desk.read(encode(shade(160)), "jane-roe.png", "session")
    assert image.opinion == "Early"  # whether it is logged or not
    assert "not in the log for monitoring. the disk is full" in caplog.text
    [rows] = kept
    assert rows[["source", "together", "likeliest"]].iloc[0].tolist() == ["page", "session", "Early"]
    assert rows["sha256"].isna().all()
    assert "jane" not in str(rows.to_dict())
    known = replace(desk.reader, seen=desk.reader.seen.assign(sha256=image.sha256))
    Desk(known, desk.options, desk._explanation, 1, keep=keep).read(encode(shade(160)))
    assert len(kept) == 1  # the classifier has learned from it
