"""Layouts of public data sets; files are made from their published descriptions, none is of the sets themselves."""

import io
import logging
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.images import layout as layouts
from leukoscope.images.decoding import Limits
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.shared import share_plan
from leukoscope.images.source import open_source
from made_layouts import (
    draw_cell,
    write_boxes,
    write_cnmc,
    write_cnmc_validation,
    write_idb1,
    write_idb2,
    write_image,
    write_raabin,
)

LIMITS = Limits(16, 10**6, 10**6)


def sort(name, root):
    found = layouts.get(name).sort(open_source(root))
    return {item.image_id: item.label or item.file.refused for item in found}


def pack(name, root, store, labels):
    layout, source = layouts.get(name), open_source(root)
    save_packed(PackingPlan(layout.open(source), tuple(labels), 32, LIMITS, 1, layout=name), store)
    return PackedImages(store)


def test_names_of_cnmc_tell_label_and_subject(tmp_path):
    assert sort("cnmc", write_cnmc(tmp_path, 1, 1, 1)) == {
        "fold_0/all/UID_1_1_1_all": "all",
        "fold_0/hem/UID_H2_1_1_hem": "hem",
    }
    find = layouts.get("cnmc").find_group
    assert find("fold_0/hem/UID_H2_1_1_hem") == "subject H2"
    assert find("fold_1/all/uid_2_1_1_all") == "subject 2"
    assert find("fold_1/1") is None


def test_a_cell_in_the_folder_of_the_other_label_is_no_sample(tmp_path):
    write_image(tmp_path / "fold_0/hem/UID_1_1_1_all.bmp", draw_cell(1))
    assert sort("cnmc", tmp_path) == {"fold_0/hem/UID_1_1_1_all": "its folder says hem, and its name all"}


def test_the_table_of_cnmc_names_the_numbered_cells_of_its_own_folder_only(tmp_path):
    root = write_cnmc_validation(tmp_path, ["UID_57_29_1_all.bmp", "UID_H4_1_1_hem.bmp"])
    nameless = "neither its name nor a table says what it shows"
    assert sort("cnmc", root) == {
        "validation_data/C-NMC_test_prelim_phase_data/UID_57_29_1_all": "all",
        "validation_data/C-NMC_test_prelim_phase_data/UID_H4_1_1_hem": "hem",
        "validation_data/C-NMC_test_final_phase_data/1": nameless,
        "validation_data/C-NMC_test_final_phase_data/2": nameless,
    }


@pytest.mark.parametrize("content", ["a,b\n1,2", "Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,0", ""])
def test_a_table_of_cnmc_that_cannot_be_used_is_told(tmp_path, content):
    root = write_cnmc_validation(tmp_path, ["UID_57_29_1_all.bmp"])
    (root / "validation_data/C-NMC_test_prelim_phase_data_labels.csv").write_text(content)
    with pytest.raises(InputError, match=r"The table .* of C-NMC 2019 cannot be used: .*Expected the columns"):
        sort("cnmc", root)


def test_cells_on_black_are_accepted(tmp_path):
    smears = pack("cnmc", write_cnmc(tmp_path / "raw"), tmp_path / "store", ["all", "hem"])
    assert smears.records["reason"].isna().all()
    assert len(smears) == 8
    assert smears.layout == "cnmc"


def test_all_idb_tells_fields_from_cells(tmp_path):
    fields = open_source(write_idb1(tmp_path / "one"))
    cells = open_source(write_idb2(tmp_path / "two"))
    layout = layouts.get("all_idb")
    assert (layout.describe(fields).scale, layout.describe(cells).scale) == ("fields", "single cells")
    assert layout.describe(fields).labels == {"ALL": 1, "healthy": 1}
    assert sort("all_idb", tmp_path / "two") == {"ALL_IDB2/img/Im001_1": "ALL", "ALL_IDB2/img/Im131_0": "healthy"}
    with pytest.raises(InputError, match=r"found both\. Give the folder of one of them"):
        layout.describe(open_source(tmp_path))


def test_centroids_that_contradict_a_name_are_told(tmp_path, caplog):
    source = open_source(write_idb1(tmp_path))
    with caplog.at_level(logging.WARNING, "leukoscope"):
        layouts.get("all_idb").describe(source)
        assert not caplog.text
        (tmp_path / "ALL_IDB1/xyc/Im002_0.xyc").write_text("3 4")
        layouts.get("all_idb").describe(open_source(tmp_path))
    assert "1 of the .xyc files do not fit their names" in caplog.text


def test_folders_of_raabin_are_labels(tmp_path):
    facts = layouts.get("raabin").describe(open_source(write_raabin(tmp_path, "Test-A")))
    assert facts.labels == {"Basophil": 1, "Lymphocyte": 1, "Neutrophil": 1}
    assert set(facts.meanings.values()) == {"benign"}


BOXES = {"a": [("WBC", 20, 30, 60, 70), ("RBC", 0, 0, 30, 30)], "b": [("WBC", 150, 160, 200, 240), ("WBC", 5, 5, 5, 9)]}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_box_is_an_image_of_its_square(tmp_path, kind):
    root = write_boxes(tmp_path / "raw", BOXES)
    path = root if kind == "folder" else Path(shutil.make_archive(str(tmp_path / "raw"), "zip", root))
    layout = layouts.get("boxes")
    source = pickle.loads(pickle.dumps(layout.open(open_source(path))))
    files = {item.image_id: item for item in layout.label_files(source, ["WBC"])}
    assert list(files) == ["JPEGImages/a/WBC-1", "JPEGImages/b/WBC-1", "JPEGImages/b/WBC-2"]
    assert files["JPEGImages/b/WBC-2"].file.refused == "its box is empty"
    assert layout.find_group("JPEGImages/b/WBC-1") == "field JPEGImages/b"
    field = np.asarray(Image.open(root / "JPEGImages/a.png"))
    with source.reading() as read:
        crop = np.asarray(Image.open(io.BytesIO(read(files["JPEGImages/a/WBC-1"].file.path))))
        corner = np.asarray(Image.open(io.BytesIO(read(files["JPEGImages/b/WBC-1"].file.path))))
    np.testing.assert_array_equal(crop, field[26:74, 16:64])  # 40 and a tenth on each side
    assert corner.shape == (96, 96, 3)  # moved inside


def test_boxes_are_read_by_workers_in_another_folder(tmp_path, monkeypatch):
    write_boxes(tmp_path / "raw", {"a": [("WBC", 20, 30, 60, 70)]})
    monkeypatch.chdir(tmp_path)
    layout = layouts.get("boxes")
    plan = PackingPlan(layout.open(open_source(Path("raw"))), ("WBC",), 32, LIMITS, 1, layout="boxes")
    shared = pickle.loads(pickle.dumps(share_plan(plan)))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [batch.pixels.shape for batch in shared.pack()] == [(1, 32, 32, 3)]


def test_boxes_that_cannot_be_read_are_left_out_with_a_reason(tmp_path):
    root = write_boxes(tmp_path, {"a": [("WBC", 20, 30, 60, 70)], "d": [("WBC", "inf", 30, 60, 70)]})
    (root / "Annotations/b.xml").write_text("<annotation>")
    (root / "Annotations/c.xml").write_text("<annotation/>")
    write_image(root / "JPEGImages/b.png", draw_cell(1))
    found = sort("boxes", root)
    assert found["Annotations/b"].startswith("its boxes cannot be read")
    assert found["Annotations/d"] == "its boxes cannot be read: cannot convert float infinity to integer"
    assert found["Annotations/c"] == "no image is called c, as this file of boxes"
    assert found["JPEGImages/a/WBC-1"] == "WBC"


def test_a_box_beyond_its_field_is_quarantined(tmp_path):
    boxes = {"a": [("WBC", 20, 30, 60, 70), ("WBC", 900, 900, 950, 950)]}
    records = pack("boxes", write_boxes(tmp_path / "raw", boxes), tmp_path / "store", ["WBC"]).records
    reasons = records.set_index("image_id")["reason"]
    assert reasons["JPEGImages/a/WBC-2"] == "its box begins outside of the field, which has 200 x 200"
    assert reasons.isna().tolist() == [True, False]


@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_BCCD" not in os.environ, reason="LEUKOSCOPE_BCCD does not name the folder of BCCD")
def test_leukocytes_of_bccd_are_cut_out(tmp_path):
    root = Path(os.environ["LEUKOSCOPE_BCCD"])
    source = open_source(root)
    assert layouts.recognise(source, "auto", "external.layout").name == "boxes"
    smears = pack("boxes", root, tmp_path, ["WBC"])
    assert len(smears) == smears.records["label"].notna().sum()
    fields = layouts.name_groups("boxes", smears.records["image_id"], smears.records.index)
    assert 1 <= len(smears) / fields.nunique() < 1.2  # most fields show one leukocyte
