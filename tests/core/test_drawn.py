import io
import zipfile

import pytest
from PIL import Image

from leukoscope.core.drawn import describe_training, is_drawn, warn_of_images, warn_of_reader
from leukoscope.images.decoding import Limits
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_source
from leukoscope.synthetic import write_smears
from tiny_reader import encode, shade


@pytest.fixture(scope="module")
def smears(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    write_smears(root, {"Benign": 2, "Pro": 1}, 32, seed=1)
    return root


def pack(path, store):
    save_packed(PackingPlan(open_source(path), ("Benign", "Pro"), 32, Limits(16, 10**6, 10**6), 1), store)
    return PackedImages(store).records.set_index("image_id")["drawn"]


def test_a_drawn_smear_says_so_in_its_file(smears):
    file = smears / "Original/Pro/smear-pro-0001.jpg"
    assert is_drawn(file.read_bytes())
    assert "Drawn by Leukoscope" in Image.open(file).info["comment"].decode()
    assert not is_drawn(encode(shade(100), "JPEG"))
    assert not is_drawn(b"")


def test_a_new_jpeg_of_a_drawn_one_is_drawn(smears):
    image = Image.open(smears / "Original/Pro/smear-pro-0001.jpg")
    again = io.BytesIO()
    image.save(again, "JPEG", quality=40)
    assert is_drawn(again.getvalue())


def test_copies_under_other_names_and_in_a_zip_are_known_as_drawn_and_others_are_not(smears, tmp_path):
    for label in ("Benign", "Pro"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        content = (smears / f"Original/{label}/smear-{label.lower()}-0001.jpg").read_bytes()
        (tmp_path / f"mine/{label}/photo.jpeg").write_bytes(content)
    (tmp_path / "mine/Pro/other.png").write_bytes(encode(shade(90)))
    (tmp_path / "mine/Pro/broken.png").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for file in (tmp_path / "mine").rglob("*.*"):
            archive.write(file, file.relative_to(tmp_path / "mine"))
    expected = {"Benign/photo": True, "Pro/photo": True, "Pro/other": False, "Pro/broken": False}
    assert pack(tmp_path / "mine", tmp_path / "store").to_dict() == expected
    assert pack(tmp_path / "mine.zip", tmp_path / "zipped").to_dict() == expected


def test_what_people_are_told_goes_by_how_many_are_drawn():
    assert describe_training(4, 4) == "drawn images"
    assert describe_training(1, 4) == "partly drawn images (1 of 4)"
    assert describe_training(0, 4) == "no images known to be drawn"
    assert describe_training(None, 4) == "not recorded"
    assert warn_of_images(0, 4) is warn_of_images(None, 4) is warn_of_reader(0, 4) is warn_of_reader(None, 4) is None
    assert "drew all 1,200 images" in warn_of_images(1200, 1200)
    assert "drew 3 of the 4 images" in warn_of_images(3, 4)
    assert "drew all 4 images of the data that the classifier learned from" in warn_of_reader(4, 4)
    assert "drew 3 of the 4 images of the data that the classifier learned from" in warn_of_reader(3, 4)
