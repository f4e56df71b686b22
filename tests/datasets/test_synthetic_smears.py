import json
import logging

import numpy as np
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold
from leukoscope.datasets import synthetic_smears
from leukoscope.datasets.synthetic_smears import SyntheticSmearsDataset
from leukoscope.images.source import FolderSource
from leukoscope.synthetic import CLASSES


@pytest.fixture
def smears(tmp_path):
    folder = tmp_path / "raw" / "demo"

    def make(**options):
        return SyntheticSmearsDataset(filepath=str(folder), **{"images_per_class": 2, "size": 32, **options})

    make.folder = folder
    return make


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_what_is_missing_is_drawn(smears):
    source = smears().load()

    assert isinstance(source, FolderSource)
    names = [file.path for file in source.files]
    assert names == [f"Original/{c}/smear-{c.lower()}-000{i}.jpg" for c in CLASSES for i in (1, 2)] + ["synthesis.json"]
    assert Image.open(smears.folder / names[0]).size == (32, 32)
    assert json.loads((smears.folder / "synthesis.json").read_text())["images_per_class"] == 2
    assert sorted(path.name for path in smears.folder.parent.iterdir()) == [".demo.lock", "demo"]


def test_an_empty_folder_is_filled(smears):
    smears.folder.mkdir(parents=True)

    assert len(smears().load().files) == 9


def test_smears_are_drawn_once(smears):
    smears().load()
    before = times(smears.folder)
    smears().load()

    assert times(smears.folder) == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"size": 40}, {"images_per_class": 1}, {"confounded": True}])
def test_other_options_draw_anew(smears, change):
    smears().load()
    before = content(smears.folder)
    source = smears(**change).load()
    after = content(smears.folder)

    assert len(source.files) == 4 * change.get("images_per_class", 2) + 1
    assert after["synthesis.json"] != before["synthesis.json"]
    if "images_per_class" not in change:
        assert not set(after.values()) & set(before.values())


def test_another_release_draws_anew(smears, monkeypatch):
    smears().load()
    monkeypatch.setattr(synthetic_smears, "__version__", "99")
    smears().load()

    assert '"99"' in (smears.folder / "synthesis.json").read_text()


def test_a_folder_of_the_user_is_only_read(smears, caplog):
    own = smears.folder / "Original" / "Early" / "mine.png"
    own.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(own)
    before = times(smears.folder.parent)
    with caplog.at_level(logging.INFO, "leukoscope"):
        source = smears().load()

    assert [file.path for file in source.files] == ["Original/Early/mine.png"]
    assert times(smears.folder.parent) == before
    assert "used as they are" in caplog.text


def test_files_added_to_the_smears_are_never_replaced(smears):
    smears().load()
    (smears.folder / "Original" / "notes.txt").write_text("mine")
    before = content(smears.folder)
    with pytest.raises(InputError, match=r"notes\.txt"):
        smears(seed=1).load()

    assert content(smears.folder) == before
    assert len(smears().load().files) == 10


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("drawn_before", [False, True])
def test_an_interrupted_drawing_changes_nothing(smears, monkeypatch, error, drawn_before):
    if drawn_before:
        smears().load()
    smears.folder.parent.mkdir(exist_ok=True)
    before = content(smears.folder.parent)
    draw = synthetic_smears.write_smears

    def draw_and_fail(*args):
        draw(*args)
        raise error

    monkeypatch.setattr(synthetic_smears, "write_smears", draw_and_fail)
    with pytest.raises((KeyboardInterrupt, DatasetError)):
        smears(seed=1).load()

    assert content(smears.folder.parent) == before
    assert smears.folder.exists() == drawn_before
    assert len([path for path in smears.folder.parent.iterdir() if path.suffix != ".lock"]) == int(drawn_before)


def test_smears_are_read_only(smears):
    with pytest.raises(DatasetError, match="read only"):
        smears().save("anything")


def test_the_data_set_always_exists_and_describes_itself(smears):
    dataset = smears(seed=4)

    assert dataset.exists()
    assert "seed=4" in repr(dataset)
    assert not smears.folder.exists()


def test_two_runs_do_not_draw_to_one_folder(smears):
    with hold(smears.folder), pytest.raises(InputError, match="Another run"):
        smears().load()
    assert not smears.folder.exists()


class TestAGivenPlace:
    @pytest.fixture
    def given(self, smears):
        return smears(default={"filepath": str(smears.folder.with_name("default"))})

    def test_a_mistyped_one_is_an_error_and_is_not_drawn_to(self, smears, given):
        assert not given.exists()
        with pytest.raises(InputError, match=r"There are no images at .*demo.*--params raw_images=PATH"):
            given.load()
        assert not smears.folder.parent.exists()

    def test_an_empty_folder_stays_empty(self, smears, given):
        smears.folder.mkdir(parents=True)
        assert given.load().files == []
        assert list(smears.folder.iterdir()) == []

    def test_what_was_drawn_there_is_read_as_it_is(self, smears, given):
        smears(seed=1).load()
        before = times(smears.folder)
        assert len(given.load().files) == 9
        assert times(smears.folder) == before

    def test_the_default_place_may_be_given_too(self, smears):
        folder = smears.folder.parent / "x/../demo"
        smears.folder.with_name("x").mkdir(parents=True)
        assert len(smears(default={"filepath": str(folder)}).load().files) == 9


@pytest.mark.slow
@pytest.mark.parametrize("place", ["given", "default"])
def test_the_demo_draws_at_its_own_place_only(project, place, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    given = {"given": str(tmp_path / "leukemai"), "default": "data/demo/01_raw/leukemia"}[place]
    bootstrap_project(project)
    with KedroSession.create(project, env="demo", runtime_params={"raw_images": given}) as session:
        catalog = session.load_context().catalog
        if place == "default":
            assert len(catalog.load("raw_images").files) == 4 * 24 + 1
            return
        with pytest.raises(DatasetError, match=r"There are no images at .*leukemai"):
            catalog.load("raw_images")
    assert not (tmp_path / "leukemai").exists()
