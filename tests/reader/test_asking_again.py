import json
from dataclasses import replace

import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation.certificate import SENSITIVITIES
from leukoscope.images.circumstances import VERSION
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_any
from leukoscope.reader.reading import ReadingPlan
from leukoscope.reader.second_reader import SecondReader
from leukoscope.serving.registry import describe_signature
from tiny_reader import CLASS_NAMES, encode, make_reader, shade

COLUMNS = {"rests_on", *SENSITIVITIES}


@pytest.fixture(scope="module")
def reader() -> SecondReader:
    return make_reader()


def test_what_goes_by_brightness_rests_on_light(reader):
    asking = reader.asking_again()
    opinions = asking.read(np.stack([shade(160), shade(10)])).opinions
    assert opinions["opinion"].tolist() == ["abstained", "Pro"]
    assert opinions["reason"].tolist() == ["rests on stain and light", ""]
    assert opinions["rests_on"].tolist() == ["stain,light", ""]
    assert opinions.loc[0, "sensitivity"] > 0.4 > opinions.loc[1, "sensitivity"]


def test_who_does_not_ask_again_reads_as_before(reader):
    pixels = np.stack([shade(160), shade(10)])
    without, asking = reader.read(pixels).opinions, reader.asking_again().read(pixels).opinions
    assert set(asking) - set(without) == COLUMNS
    assert without["opinion"].tolist() == ["Early", "Pro"]
    same = [name for name in without if name not in ("opinion", "reason")]
    assert asking[same].equals(without[same])


def test_it_asks_whatever_predicts(reader):
    class Constant:
        def predict(self, images, rows, batch_size):
            return np.tile(np.eye(4, dtype=np.float32)[:1], (len(images), 1)), np.zeros((len(images), 2), np.float32)

    opinions = reader.asking_again().answered_by(Constant()).read(shade(160)[None]).opinions
    assert opinions.loc[0, ["rests_on", "sensitivity"]].tolist() == ["", 0]


def test_a_reader_is_kept_with_what_it_asks(reader, tmp_path):
    asking = reader.asking_again()
    assert asking.fingerprint != reader.fingerprint
    for name in ("asking", "plain"):
        (tmp_path / name).mkdir()
    asking.save(tmp_path / "asking")
    loaded = SecondReader.load(tmp_path / "asking")
    assert (loaded.certificate, loaded.fingerprint) == (VERSION, asking.fingerprint)
    reader.save(tmp_path / "plain")
    assert "certificate" not in json.loads((tmp_path / "plain/reader.json").read_text())
    assert SecondReader.load(tmp_path / "plain").certificate is None


def test_changes_of_another_version_are_refused(reader, tmp_path):
    replace(reader, certificate=VERSION + 1).save(tmp_path)
    with pytest.raises(InputError, match=rf"asks again under changes of version {VERSION + 1}, and those here"):
        SecondReader.load(tmp_path)


def test_the_table_of_opinions_says_what_they_rest_on(reader, tmp_path):
    for brightness in (160, 10):
        (tmp_path / f"{brightness}.png").write_bytes(encode(shade(brightness)))
    (tmp_path / "notes.txt").write_text("no image")
    packing = PackingPlan(open_any(tmp_path), None, reader.image_size, reader.limits)
    table = next(ReadingPlan(reader.asking_again(), packing).read()).set_index("image_id")
    assert table.loc["160", ["opinion", "reason", "rests_on"]].tolist() == [
        "abstained",
        "rests on stain and light",
        "stain,light",
    ]
    assert table.loc["10", ["opinion", "rests_on"]].tolist() == ["Pro", ""]
    assert table.loc["notes", sorted(COLUMNS)].isna().all()
    assert not COLUMNS & set(next(ReadingPlan(reader, packing).read()))


def test_what_is_served_says_its_columns(reader):
    served = {column.name for column in describe_signature(reader.asking_again()).outputs}
    assert served - {column.name for column in describe_signature(reader).outputs} == COLUMNS
    read = set(reader.asking_again().read(shade(160)[None]).opinions) | {"trained_on", "warning", "scale", "tiles"}
    assert served <= read
    assert len(CLASS_NAMES) == 4
