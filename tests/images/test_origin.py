import hashlib
import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.images import origin
from leukoscope.images.origin import Origin

# A published data set of 3 Benign and 4 Pro files, of which 2 and 3 are listed.
COUNTS = {"Benign": 3, "Pro": 4}
LISTED = {"b1": "Benign", "b2": "Benign", "p1": "Pro", "p2": "Pro", "p3": "Pro"}


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture(autouse=True)
def small_published_set(monkeypatch):
    monkeypatch.setattr(origin, "PUBLISHED_COUNTS", COUNTS)
    monkeypatch.setattr(origin, "_list_published", lambda: {sha256(name)[:16]: label for name, label in LISTED.items()})


def manifest(names: str, quarantined: str = "", drawn: str = "") -> pd.DataFrame:
    """Make a manifest of files such as b1, whose class is Benign, as in "b1 p2 x"."""
    folders = {"b": "Benign", "p": "Pro"}
    rows = [
        {"label": folders[name[0]], "sha256": sha256(name.removesuffix("!")), "drawn": name in drawn.split()}
        | {"status": "quarantined" if name in quarantined.split() else "accepted"}
        for name in names.split()
    ]
    stray = {"label": None, "sha256": None, "drawn": None, "status": "quarantined"}
    return pd.DataFrame([*rows, stray])


@pytest.mark.parametrize(
    ("names", "images", "published", "complete", "is_published"),
    [
        ("b1 b2 b3 p1 p2 p3 p4", 7, 5, True, True),  # b3 and p4 are of the set and not listed
        ("b1 p2 p3", 3, 3, False, True),  # a part
        ("b1 b2 p1 p2 p3", 5, 5, False, True),
        ("b1 b1 p1", 3, 3, False, True),  # a copy
        ("b1 b2 b3 p1 p2 p4", 6, 4, False, False),  # as many as known are missing, and others are there
        ("b1 b2 b3 p1 p2 p4 p5", 7, 4, False, False),  # the numbers are right, and a listed file is not there
        ("b1 b2 b3 p1 p2 p3 p4 p5", 8, 5, False, False),  # somebody added files
        ("b1 b8 p8", 3, 1, False, False),  # a mixture
        ("b8 b9 b7 p6 p7 p8 p9", 7, 0, False, False),  # others in the same numbers
        ("b8 p9", 2, 0, False, False),
    ],
)
def test_the_published_set_is_known_by_its_numbers_and_its_files(names, images, published, complete, is_published):
    traced = Origin.trace(manifest(names))
    assert traced == (images, 0, published, complete)
    assert traced.is_published(None) is is_published
    assert traced.is_published(False) is False
    assert traced.is_published(True) is True


def test_published_files_in_another_class_are_not_as_published():
    wrong = manifest("b1 b2").assign(label="Pro")
    assert Origin.trace(wrong).published == 0


def test_a_quarantined_file_is_no_image_and_may_be_one_of_the_set():
    traced = Origin.trace(manifest("b1 b2 b3 p1 p2 p3 p4", quarantined="b3 p1"))
    assert traced == (5, 0, 4, True)
    assert traced.is_published(None)


def test_drawn_images_are_counted_and_cannot_be_said_to_be_published():
    traced = Origin.trace(manifest("b7 b8 p9", quarantined="b8", drawn="b7 b8"))
    assert traced == (2, 1, 0, False)
    assert traced.describe(None) == "1 of 2 images were drawn by Leukoscope"
    with pytest.raises(InputError, match=r"drew 1 of the 2\. .* set published to null"):
        traced.is_published(True)


def test_a_manifest_that_does_not_say_what_is_drawn_is_an_error():
    with pytest.raises(InputError, match="Run the pipeline ingestion again"):
        Origin.trace(manifest("b1").drop(columns="drawn"))


@pytest.mark.parametrize(
    ("names", "stated", "words"),
    [
        (
            "b1 b2 b3 p1 p2 p3 p4",
            None,
            "the published data set, recognised by its 7 files in 2 classes and the SHA-256 of 5",
        ),
        ("b1 p2 p3", None, "part of the published data set: 3 of its 7 files, recognised by SHA-256"),
        (
            "b1 b8",
            None,
            "1 of 2 images are recognised as files of the published data set; the origin of the others is not",
        ),
        ("b8", None, "not recognised as a known data set"),
        ("b8", True, "stated to be the published data set (data_sheet.published); 0 of 1 images are recognised"),
        ("b1", False, "stated not to be the published data set (data_sheet.published); 1 of 1 images are recognised"),
    ],
)
def test_it_is_said_how_images_were_recognised(names, stated, words):
    assert Origin.trace(manifest(names)).describe(stated).startswith(words)


def test_the_list_has_the_files_that_were_at_hand_without_their_forty_copies(monkeypatch):
    monkeypatch.undo()
    listed = origin._list_published()
    assert Counter(listed.values()) == {"Benign": 403, "Early": 787, "Pre": 770, "Pro": 602}
    assert origin.PUBLISHED_COUNTS == {"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804}
    assert {len(digits) for digits in listed} == {16}


@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_DATA" not in os.environ, reason="LEUKOSCOPE_DATA does not name the real smears' folder")
def test_the_published_smears_are_recognised(monkeypatch):
    monkeypatch.undo()
    files = [file for file in Path(os.environ["LEUKOSCOPE_DATA"]).rglob("*.*") if file.parent.parent.name == "Original"]
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    facts = {"label": [file.parent.name for file in files], "sha256": hashes, "drawn": False, "status": "accepted"}
    traced = Origin.trace(pd.DataFrame(facts))
    assert traced == (len(files), 0, len(files), len(files) == 3256)
    assert traced.is_published(None)
