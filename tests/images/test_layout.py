import logging
import pkgutil

import pytest

from leukoscope.core.errors import InputError
from leukoscope.images import layout as layouts
from leukoscope.images.naming import NamedFile
from leukoscope.images.source import open_source
from made_layouts import draw_cell, write_boxes, write_cnmc, write_idb1, write_idb2, write_image, write_raabin


def write_some_boxes(root):
    return write_boxes(root, {"BloodImage_00001": [("WBC", 20, 20, 60, 70)]})


MADE = {
    "cnmc": write_cnmc,
    "all_idb": write_idb1,
    "raabin": write_raabin,
    "boxes": write_some_boxes,
}


def test_every_layout_is_made_here():
    assert {"folders", *MADE} == set(layouts.list_layouts())
    assert len(list(pkgutil.iter_modules(layouts.import_module("leukoscope.images.layouts").__path__))) == len(MADE)


@pytest.mark.parametrize("name", MADE)
def test_a_layout_is_recognised_and_the_log_says_so(tmp_path, caplog, name):
    with caplog.at_level(logging.INFO, "leukoscope"):
        assert layouts.recognise(open_source(MADE[name](tmp_path)), "auto", "external.layout").name == name
    assert f"external.layout=auto: {tmp_path} is taken for " in caplog.text
    assert f"({name})" in caplog.text


def test_what_is_no_known_data_set_is_taken_for_folders(tmp_path, caplog):
    write_image(tmp_path / "Benign/a.png", draw_cell(1))
    with caplog.at_level(logging.INFO, "leukoscope"):
        assert layouts.recognise(open_source(tmp_path), "auto", "external.layout").name == "folders"
    assert "since no known data set was recognised" in caplog.text


@pytest.mark.parametrize("name", MADE)
def test_another_layout_is_refused_by_what_was_expected_and_found(tmp_path, name):
    other = "raabin" if name == "cnmc" else "cnmc"
    with pytest.raises(InputError, match=r"is not laid out as .*: expected .*; found ") as refusal:
        layouts.recognise(open_source(MADE[other](tmp_path)), name, "external.layout")
    assert f"external.layout={other}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_folder_of_nothing_known_is_refused_too(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match=r"found notes\.txt\. Give another path, or external\.layout=folders\."):
        layouts.recognise(open_source(tmp_path), "boxes", "external.layout")


def test_two_data_sets_at_once_are_refused(tmp_path):
    write_idb2(write_cnmc(tmp_path))
    with pytest.raises(InputError, match="looks like ALL-IDB and C-NMC 2019 at once"):
        layouts.recognise(open_source(tmp_path), "auto", "external.layout")


def test_folders_that_look_like_a_data_set_say_what_its_layout_knows(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "leukoscope"):
        layouts.recognise(open_source(write_cnmc(tmp_path)), "folders", "external.layout")
    assert "external.layout=cnmc is its layout, which knows each image's subject" in caplog.text


def test_an_unknown_layout_is_told_its_neighbour():
    with pytest.raises(ValueError, match="there is no layout 'cnmcc': did you mean 'cnmc'"):
        layouts.require_layout("cnmcc")


def test_a_newcomer_s_layout_is_one_class(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "_registry", dict(layouts._registry))

    @layouts.register
    class Ours(layouts.Layout):
        name, title, expects = "ours", "our hospital", "files called ours-<label>-<number>"
        meanings = {"sick": "malignant", "well": "benign"}  # noqa: RUF012

        def fits(self, source):
            return any(file.path.startswith("ours-") for file in source.files)

        def sort(self, source):
            return [
                NamedFile(layouts.cut_suffix(file.path), file.path.split("-")[1], file)
                for file in source.files
                if layouts.is_image(file)
            ]

    for number, label in enumerate(("sick", "well")):
        write_image(tmp_path / f"ours-{label}-{number}.png", draw_cell(number))
    source = open_source(tmp_path)
    layout = layouts.recognise(source, "auto", "external.layout")
    assert layout.describe(source).labels == {"sick": 1, "well": 1}
    assert [item.label for item in layout.label_files(source, ["well"])] == ["well"]
    with pytest.raises(ValueError, match="there is a layout 'ours' already"):
        layouts.register(Ours)


def test_a_label_that_is_not_there_is_told(tmp_path):
    source = open_source(write_cnmc(tmp_path))
    with pytest.raises(InputError, match=r"no image labelled Benign. Its labels are all, hem"):
        layouts.get("cnmc").label_files(source, ["Benign", "all"])


def test_folders_that_other_data_sets_have_too_are_asked_for_by_name(tmp_path):
    for kind in ("Lymphocyte", "Neutrophil"):
        write_image(tmp_path / "TRAIN" / kind.upper() / "_0_207.jpg", draw_cell(1))
    source = open_source(tmp_path)
    with pytest.raises(InputError, match=r"looks like Raabin-WBC, and may as well be .*layout=raabin, or .*=folders"):
        layouts.recognise(source, "auto", "external.layout")
    assert layouts.recognise(source, "raabin", "external.layout").name == "raabin"
    assert layouts.recognise(source, "folders", "external.layout").name == "folders"
