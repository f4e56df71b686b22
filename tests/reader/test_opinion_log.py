import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.datasets import OpinionLogDataset, OpinionsDataset
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_any
from leukoscope.reader import opinion_log
from leukoscope.reader.opinion_log import OpinionLog, Retention, tabulate_reading, write_time
from leukoscope.reader.reading import ReadingPlan
from leukoscope.reader.watching import list_watched
from tiny_reader import encode, make_reader, shade


@pytest.fixture(scope="module")
def reader():
    return make_reader()


@pytest.fixture(scope="module")
def rows(reader) -> pd.DataFrame:
    pixels = np.stack([shade(one) for one in (50, 105, 131)])
    return tabulate_reading(reader, reader.read(pixels), "server", "together")


@pytest.fixture
def log(tmp_path) -> OpinionLog:
    return OpinionLog(tmp_path / "log/opinions.db")


def test_of_an_opinion_nothing_is_kept_but_what_is_watched(log, rows, reader):
    assert log.append(rows) == 3
    table = log.load()
    assert set(table) == {
        *("read_at", "source", "model", "model_fingerprint", "calibration", "together", "sha256"),
        *("likeliest", "certainty", "reason", "ood_score", "check_log_cells", "check_log_contrast"),
        *("check_log_sharpness", "check_red_share", "check_blue_share"),
        *("distance_benign", "distance_early", "distance_pre", "distance_pro"),
    }
    assert table["likeliest"].tolist() == ["Pro", "Pre", "Early"]
    assert table["reason"].tolist() == ["", "", "not sure enough"]
    assert table["distance_pro"].is_monotonic_increasing
    assert set(table["model_fingerprint"]) == {reader.classifier.fingerprint}
    assert table["sha256"].isna().all()


def test_what_was_added_survives_a_kill(log, rows):
    log.append(rows)
    child = os.fork()
    if child == 0:
        log.append(rows)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(log.load()) == 6
    log.append(rows)
    assert len(log.load()) == 9


def test_the_same_file_counts_once_for_the_same_model(log, rows):
    known = rows.assign(sha256=["a", "b", "c"])
    assert [log.append(known), log.append(known), log.append(known.assign(model_fingerprint="other"))] == [3, 0, 3]


def test_an_opinion_that_lacks_a_number_is_not_lost_in_silence(log, rows):
    with pytest.raises(InputError, match="No opinion can be added to the log"):
        log.append(rows.assign(ood_score=[0.1, np.nan, 0.2]))
    assert len(log.load()) == 0


def test_what_is_too_old_is_removed_and_overwritten(log, rows):
    dataset = OpinionLogDataset(filepath=str(log.path))
    long_ago = write_time(datetime.now(UTC) - timedelta(days=40))
    dataset.save(rows.assign(read_at=long_ago, together="of-long-ago"))
    dataset.save(rows)
    dataset.save(Retention(None))
    assert len(dataset.load()) == 6
    with closing(sqlite3.connect(log.path)) as server:  # which has the file open meanwhile
        server.execute("SELECT count(*) FROM opinions").fetchall()
        dataset.save(Retention(30))
        assert not any(b"of-long-ago" in file.read_bytes() for file in log.path.parent.iterdir())
    assert dataset.load()["together"].tolist() == ["together"] * 3
    assert not any(b"of-long-ago" in file.read_bytes() for file in log.path.parent.iterdir())


@pytest.mark.parametrize("content", [b"no database, but a text that is long enough to be one" * 9, "table", "folder"])
def test_what_is_no_log_is_refused_in_a_line(log, rows, content):
    log.path.parent.mkdir()
    if content == "folder":
        log.path.mkdir()
    elif content == "table":
        with sqlite3.connect(log.path) as other:
            other.execute("CREATE TABLE opinions (x)")
    else:
        log.path.write_bytes(content)
    with pytest.raises(InputError, match=r"No opinion can be added to the log .* name another place"):
        log.append(rows)
    with pytest.raises(InputError, match=r"as a log of opinions|There is no log of opinions in"):
        log.load()


@pytest.mark.parametrize("edit", ["read_at = 'yesterday'", "certainty = 'high'", 'measured = \'{"check_blue": "x"}\''])
def test_what_somebody_made_illegible_is_refused_in_a_line(log, rows, edit):
    log.append(rows)
    with closing(sqlite3.connect(log.path)) as connection, connection:
        connection.execute(f"UPDATE opinions SET {edit} WHERE number = 2")
    with pytest.raises(InputError, match="cannot be used as a log of opinions"):
        log.load()


def test_without_a_log_it_is_said_what_writes_one(log):
    for task in (log.load, lambda: log.forget(datetime.now(UTC))):
        with pytest.raises(InputError, match=r"There is no log of opinions in .* --pipelines predict"):
            task()


def test_what_another_program_keeps_from_being_overwritten_is_told(log, rows, caplog, monkeypatch):
    monkeypatch.setattr(opinion_log, "_PATIENCE", 0.1)
    soon = datetime.now(UTC) + timedelta(hours=1)
    log.append(rows)
    with closing(sqlite3.connect(log.path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM opinions").fetchall()
        assert log.forget(soon) == 3
    assert "still in the file beside it" in caplog.text
    caplog.clear()
    log.append(rows)
    assert log.forget(soon) == 3
    assert not caplog.text


@pytest.fixture
def folder(tmp_path):
    for number, brightness in enumerate((45, 101, 163, 224)):
        target = tmp_path / f"raw/patient {number % 2}/field-{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(shade(brightness)))
    (tmp_path / "raw/notes.txt").write_text("no image")
    return tmp_path / "raw"


def save(folder, reader, log, is_logged: bool = True) -> OpinionsDataset:
    dataset = OpinionsDataset(filepath=str(folder.parent / "out/opinions.parquet"), log=str(log.path))
    packing = PackingPlan(open_any(folder), None, reader.image_size, reader.limits)
    dataset.save(ReadingPlan(reader, packing, is_logged))
    return dataset


def test_predictions_are_logged_once_and_their_table_is_as_it_was(folder, reader, log):
    for _ in range(2):
        table = save(folder, reader, log).load()
    assert list_watched(table.columns) == []
    logged = log.load()
    assert sorted(logged["sha256"]) == sorted(table.loc[table["probability_malignant"].notna(), "sha256"])
    by_folder = logged.set_index("sha256")["together"].groupby(table.set_index("sha256")["path"].str[:9]).nunique()
    assert by_folder.to_dict() == {"patient 0": 1, "patient 1": 1}
    assert not any(b"patient" in file.read_bytes() for file in log.path.parent.iterdir())


def test_images_of_one_folder_are_not_taken_to_be_of_one_patient(folder, reader, log):
    save(folder / "patient 0", reader, log)
    assert log.load()["together"].isna().all()


def test_images_that_the_classifier_knows_are_not_logged(folder, log, reader):
    known = save(folder, reader, log, is_logged=False).load()["sha256"].iloc[1]
    assert not log.path.exists()
    seen = reader.seen.assign(sha256=[known, *reader.seen["sha256"][1:]])
    save(folder, replace(reader, seen=seen), log)
    assert len(log.load()) == 3
    assert known not in set(log.load()["sha256"])


def test_opinions_are_written_where_they_cannot_be_logged(folder, reader, log, caplog):
    log.path.mkdir(parents=True)
    assert len(save(folder, reader, log).load()) == 5
    assert "not all are in the log for monitoring" in caplog.text
