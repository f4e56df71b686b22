import errno
import logging
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold
from leukoscope.datasets import OpinionsDataset
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import FolderSource, open_any
from leukoscope.reader import reading
from leukoscope.reader.reading import ReadingPlan
from leukoscope.reader.watching import list_watched
from leukoscope.synthetic import write_smears
from tiny_reader import BRIGHTNESS, encode, make_reader, shade


@pytest.fixture(scope="module")
def reader():
    return make_reader()


@pytest.fixture
def folder(tmp_path):
    """Ten fields, and files that are none."""
    for number in range(10):
        target = tmp_path / f"raw/patient {number % 2}/field-{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(shade(BRIGHTNESS[number % 4])))
    (tmp_path / "raw/notes.txt").write_text("no image")
    (tmp_path / "raw/empty.png").write_bytes(b"")
    (tmp_path / "raw/.DS_Store").write_bytes(b"x")
    return tmp_path / "raw"


def plan_for(path, reader) -> ReadingPlan:
    return ReadingPlan(reader, PackingPlan(open_any(path), None, reader.image_size, reader.limits))


@pytest.fixture
def dataset(tmp_path) -> OpinionsDataset:
    return OpinionsDataset(filepath=str(tmp_path / "out/opinions.parquet"))


def test_every_file_has_a_row_and_what_cannot_be_read_says_why(folder, reader, dataset):
    dataset.save(plan_for(folder, reader))
    table = dataset.load().set_index("image_id")
    assert len(table) == 12
    assert table.loc["patient 0/field-0", ["opinion", "reason"]].tolist() == ["Benign", ""]
    assert table.loc["patient 1/field-3", "opinion"] == "Pro"
    assert table.loc["notes", ["opinion", "reason"]].tolist() == [
        "abstained",
        "unreadable: not an image of a known format",
    ]
    assert table.loc["empty", "reason"] == "unreadable: empty file (0 bytes)"
    assert np.isnan(table.loc["notes", "probability_malignant"])
    assert set(table["model_fingerprint"]) == {reader.classifier.fingerprint}
    assert set(table["data"]) == {reader.data_fingerprint}
    assert table.loc["patient 0/field-0", "path"] == "patient 0/field-0.png"


def test_a_suspicious_file_has_an_opinion_and_a_warning(folder, reader, dataset):
    target = folder / "patient 0/field-0.png"
    Image.fromarray(np.repeat([[24_000], [28_000]], [20, 20], axis=0).repeat(40, axis=1).astype(np.uint16)).save(target)
    dataset.save(plan_for(folder, reader))
    table = dataset.load().set_index("image_id")
    assert table["warning"].dropna().to_dict() == {
        "patient 0/field-0": "dark: hardly a pixel is brighter than 28,000 of 65,535"
    }
    assert table.loc["patient 0/field-0", "opinion"] == "Pre"


def test_the_csv_says_the_same(folder, reader, dataset, tmp_path):
    dataset.save(plan_for(folder, reader))
    csv = pd.read_csv(tmp_path / "out/opinions.csv", keep_default_na=False, na_values=[""])
    parquet = dataset.load()
    assert csv.columns.tolist() == parquet.columns.tolist()
    assert csv["probability_malignant"].to_numpy() == pytest.approx(
        parquet["probability_malignant"].to_numpy(), nan_ok=True
    )
    assert csv["opinion"].tolist() == parquet["opinion"].tolist()


def test_fields_unlike_the_training_images_are_counted_together_whatever_in(tmp_path, dataset, caplog):
    (tmp_path / "raw").mkdir()
    spotted = shade(160).copy()
    spotted[4:12, 4:12] = (60, 60, 160)
    for name, field in (("bright", shade(255)), ("spotted", spotted)):
        (tmp_path / f"raw/{name}.png").write_bytes(encode(field))
    with caplog.at_level(logging.INFO, "leukoscope"):
        dataset.save(plan_for(tmp_path / "raw", make_reader(ood_limit=2.0)))
    assert dataset.load()["reason"].nunique() == 2
    assert "2 files: 0 opinions; abstained: 2 unlike the training images" in caplog.text


def test_two_runs_do_not_read_into_one_folder(folder, reader, dataset, tmp_path):
    with hold(tmp_path / "out/opinions"), pytest.raises(InputError, match="Another run"):
        dataset.save(plan_for(folder, reader))
    assert not dataset.exists()


@pytest.mark.parametrize("kind", ["file", "zip"])
def test_a_file_or_a_zip_will_do(folder, reader, dataset, tmp_path, kind):
    import shutil

    path = folder / "patient 0/field-0.png"
    if kind == "zip":
        path = tmp_path / shutil.make_archive(str(tmp_path / "raw-zip"), "zip", folder)
    dataset.save(plan_for(path, reader))
    table = dataset.load()
    assert len(table) == {"file": 1, "zip": 12}[kind]
    assert "Benign" in set(table["opinion"])


class Killed(BaseException):
    """As a signal would be."""


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(folder, reader, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PART", 4)
    monkeypatch.setattr("leukoscope.images.packing_plan.BATCH", 4)
    plan = plan_for(folder, reader)
    whole = pd.concat(plan.read(), ignore_index=True)
    read, counted = ReadingPlan.read_part, []

    def die_at_the_second(self, records, pixels):
        counted.append(len(records))
        if len(counted) == 2:
            raise Killed
        return read(self, records, pixels)

    monkeypatch.setattr(ReadingPlan, "read_part", die_at_the_second)
    with pytest.raises(Killed):
        dataset.save(plan)
    assert not (tmp_path / "out/opinions.parquet").exists()
    dataset.save(plan)
    assert counted == [4, 4, 4, 4]  # the first part was not read again
    pd.testing.assert_frame_equal(dataset.load(), whole.drop(columns=list_watched(whole.columns)))
    dataset.save(plan)
    assert len(counted) == 4


@pytest.fixture
def in_parts(folder, reader, dataset, tmp_path, monkeypatch):
    """Opinions read in parts of four files; counts the files that are read."""
    monkeypatch.setattr(reading, "_PART", 4)
    monkeypatch.setattr("leukoscope.images.packing_plan.BATCH", 4)
    read, counted = ReadingPlan.read_part, []

    def count(self, records, pixels):
        counted.append(len(records))
        return read(self, records, pixels)

    monkeypatch.setattr(ReadingPlan, "read_part", count)
    dataset.save(plan_for(folder, reader))
    assert counted == [4, 4, 4]
    counted.clear()
    return counted


def parts_of(tmp_path) -> list:
    return sorted((tmp_path / "out/opinions").glob("part-*"))


def csv_of(tmp_path) -> pd.DataFrame:
    return pd.read_csv(tmp_path / "out/opinions.csv", keep_default_na=False)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("harm", ["missing", "empty", "truncated", "flipped", "of other files"])
def test_a_part_that_is_missing_or_damaged_is_read_again_and_no_other(
    folder, reader, dataset, tmp_path, in_parts, number, harm, caplog
):
    whole, part = csv_of(tmp_path), parts_of(tmp_path)[number]
    content = bytearray(part.read_bytes())
    if harm == "missing":
        part.unlink()
    elif harm == "flipped":
        place = content.index(b"patient" if number else b"empty")
        content[place] ^= 1
        part.write_bytes(content)
    elif harm == "of other files":
        part.write_bytes(parts_of(tmp_path)[number - 1].read_bytes())
    else:
        part.write_bytes(content[: {"empty": 0, "truncated": len(content) // 2}[harm]])
    dataset.save(plan_for(folder, reader))
    assert in_parts == [4]
    pd.testing.assert_frame_equal(csv_of(tmp_path), whole)
    assert ("is damaged" in caplog.text) == (harm != "missing")
    dataset.save(plan_for(folder, reader))
    assert in_parts == [4]


def test_a_part_that_lacks_a_row_gets_it(folder, reader, dataset, tmp_path, in_parts):
    whole, part = csv_of(tmp_path), parts_of(tmp_path)[1]
    pd.read_parquet(part).drop(index=2).to_parquet(part)
    dataset.save(plan_for(folder, reader))
    assert in_parts == [1]
    pd.testing.assert_frame_equal(csv_of(tmp_path), whole)


def test_parts_that_change_before_they_are_joined_are_refused(folder, reader, dataset, tmp_path, in_parts):
    parts = tmp_path / "out/opinions"
    plan = plan_for(folder, reader)
    unread = reading.carry_out(plan, parts)
    before = (tmp_path / "out/opinions.csv").read_bytes()
    pd.read_parquet(parts_of(tmp_path)[1]).drop(index=2).to_parquet(parts_of(tmp_path)[1])
    with pytest.raises(InputError, match="holds 3 rows for 4 files"):
        reading.gather_parts(plan, unread, parts, tmp_path / "out/opinions.parquet", tmp_path / "out/opinions.csv")
    assert (tmp_path / "out/opinions.csv").read_bytes() == before


def test_what_cannot_be_read_for_now_is_said_and_read_by_the_next_run(
    folder, reader, dataset, tmp_path, in_parts, monkeypatch, caplog
):
    whole = csv_of(tmp_path)
    for part in parts_of(tmp_path):
        part.unlink()
    failing = ("patient 0/field-0.png", "patient 1/field-9.png")
    open_folder = FolderSource.reading

    @contextmanager
    def reading_with_faults(self):
        def read_or_fail(path):
            if path in failing:
                raise OSError(errno.EIO, "Input/output error")
            return read(path)

        with open_folder(self) as read:
            yield read_or_fail

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "reading", reading_with_faults)
        dataset.save(plan_for(folder, reader))
    table = dataset.load()
    assert table["image_id"].tolist() == whole["image_id"].tolist()
    lacking = table[table["path"].isin(failing)]
    assert lacking["reason"].tolist() == ["not read for now: Input/output error"] * 2
    assert lacking["opinion"].tolist() == ["abstained"] * 2
    assert "2 of 12 files could not be read: patient 0/field-0 (not read for now: Input/output error)" in caplog.text
    in_parts.clear()
    dataset.save(plan_for(folder, reader))
    assert in_parts == [1, 1]
    pd.testing.assert_frame_equal(csv_of(tmp_path), whole)


def test_other_images_or_another_reader_start_afresh(folder, reader, dataset):
    dataset.save(plan_for(folder, reader))
    (folder / "patient 0/field-0.png").unlink()
    dataset.save(plan_for(folder, reader))
    assert len(dataset.load()) == 11
    other = make_reader(threshold=1.0)
    dataset.save(plan_for(folder, other))
    assert set(dataset.load()["opinion"]) == {"abstained"}


def test_only_unreadable_files(reader, dataset, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.png").write_bytes(b"")
    dataset.save(plan_for(tmp_path / "raw", reader))
    assert dataset.load()["reason"].tolist() == ["unreadable: empty file (0 bytes)"]


def test_a_name_is_no_formula_in_the_csv(reader, dataset, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/=1+1.png").write_bytes(encode(shade(100)))
    dataset.save(plan_for(tmp_path / "raw", reader))
    assert dataset.load()["path"].tolist() == ["=1+1.png"]
    assert pd.read_csv(tmp_path / "out/opinions.csv")["path"].tolist() == ["'=1+1.png"]


def test_a_hidden_file_is_read_if_it_is_named(reader, dataset, tmp_path):
    (tmp_path / ".field.png").write_bytes(encode(shade(100)))
    dataset.save(plan_for(tmp_path / ".field.png", reader))
    assert dataset.load()["opinion"].tolist() == ["Pre"]


def test_opinions_say_what_is_drawn_and_whether_the_reader_learned_from_drawn_images(dataset, tmp_path):
    write_smears(tmp_path / "raw", {"Pro": 1}, 32, seed=1)
    (tmp_path / "raw/field.png").write_bytes(encode(shade(100)))
    (tmp_path / "raw/empty.png").write_bytes(b"")
    (tmp_path / "raw/large.png").write_bytes(b"x" * (10**6 + 1))  # not read
    drawn = {"field": False, "empty": False, "large": None, "Original/Pro/smear-pro-0001": True}
    for count, words in ((55, "drawn images"), (0, "no images known to be drawn")):
        dataset.save(plan_for(tmp_path / "raw", make_reader(drawn=count)))
        for table in (dataset.load(), pd.read_csv(tmp_path / "out/opinions.csv")):
            assert set(table["trained_on"]) == {words}
            found = table.set_index("image_id")["drawn"]
            assert {name: None if pd.isna(one) else bool(one) for name, one in found.items()} == drawn
