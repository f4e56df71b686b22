import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from leukoscope.images.decoding import perceptual_hash, resize
from leukoscope.images.likeness import Likeness
from leukoscope.images.manifest import ACCEPTED, describe_shortfalls, make_manifest, summarise
from leukoscope.synthetic import CLASSES, draw_smear

SIZE = 96


def draw_cell(seed, background):
    """A blast on a plain background, in the middle, as segmented cells are: outlines differ little."""
    rng = np.random.default_rng([7, seed])
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    turn = np.arctan2(y - 48, x - 48)
    outline = 1 + sum(rng.normal(0, 0.05) * np.cos(n * turn + rng.uniform(0, 6)) for n in range(2, 6))
    cell = np.hypot(x - 48, y - 48) < rng.uniform(26, 36) * outline
    dx, dy = rng.normal(0, 5, 2)
    nucleus = cell & (np.hypot(x - 48 - dx, y - 48 - dy) < rng.uniform(18, 26) * outline)
    chromatin = gaussian_filter(rng.normal(0, 1, (SIZE, SIZE)), 1.5)[..., None] * 60
    pixels = np.full((SIZE, SIZE, 3), background, float)
    pixels[cell] = (chromatin / 3 + np.array([170, 140, 190]))[cell]
    pixels[nucleus] = (chromatin + np.array([95, 45, 130]))[nucleus]
    return np.clip(pixels, 0, 255).astype(np.uint8)


def draw(kind, seed):
    if kind == "field":
        return draw_smear(CLASSES[seed % 4], np.random.default_rng([5, seed]), SIZE)
    return draw_cell(seed, 0 if kind == "cell on black" else 255)


def spoil(pixels, how):
    image = Image.fromarray(pixels)
    if how == "recompressed":
        file = io.BytesIO()
        image.save(file, "JPEG", quality=30)
        return np.asarray(Image.open(file))
    if how == "brightened":
        return np.asarray(ImageEnhance.Brightness(image).enhance(1.05))
    return resize(np.asarray(image.resize((70, 70), Image.Resampling.LANCZOS)), SIZE)


KINDS = ["field", "cell on black", "cell on white"]


@pytest.mark.parametrize("how", ["recompressed", "brightened", "resized"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_spoiled_copy_is_confirmed(kind, how):
    images = [draw(kind, seed) for seed in range(20)]
    images += [spoil(image, how) for image in images]
    pairs = np.eye(20, dtype=bool)
    assert (Likeness(images.__getitem__).compare(np.arange(20), np.arange(20, 40), pairs) == pairs).all()


@pytest.mark.parametrize("kind", KINDS)
def test_other_images_are_not(kind):
    images = [draw(kind, seed) for seed in range(60)]
    pairs = np.triu(np.ones((60, 60), bool), 1)
    assert not Likeness(images.__getitem__).compare(np.arange(60), np.arange(60), pairs).any()


def test_a_field_that_is_shot_again_out_of_focus_and_beside_is_confirmed():
    for seed in range(8):
        wide = draw_smear(CLASSES[seed % 4], np.random.default_rng([5, seed]), 228)
        again = gaussian_filter(wide[3:227, 4:228], (2, 2, 0))
        images = [wide[:224, :224], again]
        assert Likeness(images.__getitem__).compare(np.array([0]), np.array([1]), np.ones((1, 1), bool)).all()


def test_empty_images_are_not_alike():
    images = [np.full((64, 64, 3), grey, np.uint8) for grey in (0, 0, 255)]
    assert not Likeness(images.__getitem__).compare(np.array([0]), np.array([1, 2]), np.ones((1, 2), bool)).any()


def test_no_pairs_need_no_images():
    numbers = np.arange(5)
    nothing = np.zeros((5, 5), bool)
    assert not Likeness(lambda number: pytest.fail("looked")).compare(numbers, numbers, nothing).any()


def test_what_is_no_candidate_is_not_found():
    field = draw("field", 1)
    candidates = np.array([[False, True], [False, False]])
    found = Likeness(lambda number: field).compare(np.arange(2), np.arange(2), candidates)
    assert (found == candidates).all()


@pytest.fixture
def cells():
    """Sixty cells on black of two classes, as C-NMC's are, with a recompressed copy in the other class."""
    pixels = np.array([draw_cell(seed, 0) for seed in range(60)])
    pixels = np.concatenate([pixels, spoil(pixels[3], "recompressed")[None]])
    labels = np.where(np.arange(61) < 30, "all", "hem")
    ids = [f"{label}/{number:02}" for number, label in enumerate(labels)]
    facts = {"image_id": ids, "path": ids, "label": labels, "sha256": [f"{number:064x}" for number in range(61)]}
    hashes = [perceptual_hash(image) for image in pixels]
    rest = {"bytes": 1, "width": SIZE, "height": SIZE, "mode": "RGB", "reason": None, "warning": None, "row": range(61)}
    return pd.DataFrame(facts | {"perceptual_hash": hashes} | rest).astype({"reason": "str"}), pixels


def test_cells_on_a_plain_background_are_no_conflict(cells):
    manifest = make_manifest(*cells, 40).set_index("image_id")
    refused = manifest[manifest["status"] != ACCEPTED]
    assert refused["reason"].to_dict() == {
        "all/03": "conflicting labels: looks like hem/60 (hem)",
        "hem/60": "conflicting labels: looks like all/03 (all)",
    }


def test_conflicts_name_the_parameter_that_makes_them(cells):
    manifest = make_manifest(*cells, 40)
    lines = describe_shortfalls(summarise(manifest, ["all", "hem"], None), manifest)
    assert lines == [
        "2 files are quarantined, most often: conflicting labels (2)",
        "2 files look like a file of another class. If they are not copies, lower ingestion.near_duplicate_distance; "
        "null takes only identical files for duplicates.",
    ]
