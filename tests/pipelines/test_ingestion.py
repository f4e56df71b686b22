import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from PIL import Image
from pydantic import ValidationError

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.images import origin
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.ingestion.pipeline import create_pipeline
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.synthetic import write_smears

CONF = Path(__file__).parents[2] / "conf/base"
DEFAULTS = yaml.safe_load((CONF / "parameters_ingestion.yml").read_text())["ingestion"]
KEPT = ["smears", "manifest", "ingestion_report"]


def write_image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(pixels).resize((48, 48)).save(path)


@pytest.fixture
def raw(tmp_path, class_names) -> Path:
    for label, name in enumerate(class_names):
        for number in range(8):
            write_image(tmp_path / "raw/Original" / name / f"{number}.png", 10 * label + number)
    return tmp_path / "raw"


def run(raw, store, class_names, **changes):
    """Run the whole pipeline, with the figures kept in memory; gives what it made."""
    config = yaml.safe_load((CONF / "catalog_ingestion.yml").read_text())
    places = {"raw_images": raw, "label_table": changes.pop("labels", store / "labels.csv")}
    places |= {name: store / name for name in KEPT}
    config["label_table"]["default"] = {"filepath": str(store / "labels.csv")}
    catalog = DataCatalog.from_config(
        {name: config[name].get("dataset", config[name]) | {"filepath": str(place)} for name, place in places.items()}
    )
    catalog["params:class_names"] = class_names
    catalog["params:data_sheet"] = DataSheetOptions(published=changes.pop("published", None))
    catalog["params:ingestion"] = IngestionOptions(**DEFAULTS | {"workers": 1} | changes)
    catalog["params:cluster"] = ClusterOptions()
    figures = SequentialRunner().run(create_pipeline(), catalog)
    return {name: figure.load() for name, figure in figures.items()} | {name: catalog.load(name) for name in KEPT}


def test_every_image_is_accepted_packed_and_shown(raw, tmp_path, class_names):
    made = run(raw, tmp_path, class_names, image_size=48)
    assert made["smears"].pixels.shape == (32, 48, 48, 3)
    assert made["manifest"]["status"].eq("accepted").all()
    assert made["manifest"]["group"].is_unique
    assert made["ingestion_report"]["accepted"].tolist() == [8, 8, 8, 8, 32]
    pictures = [axes.images[0].get_array() for axes in made["montage"].axes]
    assert len(pictures) == 24
    assert (pictures[0] == np.asarray(Image.open(raw / "Original/Benign/0.png"))).all()
    assert made["ingestion_figure"].axes[0].get_title() == "Samples per class"


def test_quarantined_files_and_unexpected_counts_are_logged(raw, tmp_path, class_names, caplog):
    (raw / "Original/Pre/notes.txt").write_bytes(b"x")
    with caplog.at_level("INFO"):
        run(raw, tmp_path, class_names, expected_counts={"Benign": 9, "Pro": 8})
    assert "33 files found: 32 accepted, 1 quarantined, 0 duplicates (0 identical, 0 near)" in caplog.text
    assert "1 file is quarantined, most often: not an image of a known format (1)" in caplog.text
    assert "The numbers of files are not those expected: Benign 8 of 9, total 33 of 17" in caplog.text


@pytest.mark.slow
def test_only_published_images_are_expected_in_the_numbers_of_the_published_set(
    raw, tmp_path, class_names, caplog, monkeypatch
):
    expected = ["Benign 8 of 504", "Early 8 of 985", "Pre 8 of 963", "Pro 8 of 804"]
    with caplog.at_level("INFO"):
        report = run(raw, tmp_path, class_names)["ingestion_report"]
    assert report["expected"].isna().all()
    assert "Origin of the images: not recognised as a known data set" in caplog.text
    assert " of 504" not in caplog.text
    run(raw, tmp_path, class_names, published=True)
    assert all(words in caplog.text for words in expected)
    caplog.clear()
    manifest = run(raw, tmp_path, class_names)["manifest"]
    listed = dict(zip(manifest["sha256"].str[:16], manifest["label"], strict=True))
    monkeypatch.setattr(origin, "_list_published", lambda: listed)
    with caplog.at_level("INFO"):
        assert run(raw, tmp_path, class_names)["ingestion_report"]["expected"].tolist() == [504, 985, 963, 804, 3256]
    assert all(words in caplog.text for words in expected)
    assert "part of the published data set: 32 of its 3,256 files, recognised by SHA-256" in caplog.text


@pytest.mark.slow
def test_drawn_images_are_found_out_and_are_not_the_published_ones(tmp_path, class_names, caplog):
    write_smears(tmp_path / "raw", dict.fromkeys(class_names, 2), 48, seed=1)
    with caplog.at_level("INFO"):
        manifest = run(tmp_path / "raw", tmp_path, class_names)["manifest"]
    assert manifest["drawn"].tolist() == [True] * 8
    assert "Origin of the images: 8 of 8 images were drawn by Leukoscope" in caplog.text
    with pytest.raises(InputError, match=r"drew 8 of the 8\. Give the path of the published images"):
        run(tmp_path / "raw", tmp_path, class_names, published=True)


def test_a_class_without_an_accepted_image_is_an_error(raw, tmp_path, class_names):
    for path in (raw / "Original/Pro").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"The class Pro has no accepted image: 8 files .*empty file \(0 bytes\)"):
        run(raw, tmp_path, class_names)


def test_a_montage_with_fewer_smears_than_columns_leaves_gaps(raw, tmp_path, class_names):
    for number in range(1, 8):
        (raw / f"Original/Pro/{number}.png").unlink()
    shown = [len(axes.images) for axes in run(raw, tmp_path, class_names)["montage"].axes]
    assert shown == [1] * 19 + [0] * 5


def test_the_manifest_keeps_missing_values_on_disk(raw, tmp_path, class_names):
    (raw / "Original/notes.txt").write_text("stray")
    manifest = run(raw, tmp_path, class_names)["manifest"].set_index("image_id")
    assert manifest.loc["notes", ["label", "sha256", "width", "duplicate_of"]].isna().all()
    assert manifest.loc["notes", "reason"] == "not inside a class folder"


@pytest.mark.parametrize(("name", "value"), [("image_sise", 1), ("image_size", "large"), ("workers", 0)])
def test_a_mistaken_option_is_an_error(name, value):
    with pytest.raises(ValidationError):
        IngestionOptions(**DEFAULTS | {name: value})


def test_importing_the_pipeline_is_cheap():
    script = (
        "import sys, leukoscope.pipelines.ingestion;"
        "print({'keras', 'matplotlib', 'scipy', 'tqdm', 'sklearn'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "set()"


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_DATA" not in os.environ, reason="LEUKOSCOPE_DATA does not name the real smears' folder")
def test_the_published_smears_hold_forty_identical_pairs(tmp_path, class_names):
    manifest = run(Path(os.environ["LEUKOSCOPE_DATA"]), tmp_path, class_names, workers=None)["manifest"]
    assert manifest["status"].eq("accepted").all()
    assert manifest["sha256"].duplicated().sum() == 40
    kinds = manifest["duplicate_kind"].value_counts()
    assert kinds["identical"] == 40
    # Fields that were photographed twice; looked at, and none of them is a false one.
    assert kinds["near"] == 43
    assert manifest.groupby("group")["label"].nunique().max() == 1


def write_labels(folder, text: str) -> Path:
    (folder / "mine.csv").write_text(text)
    return folder / "mine.csv"


def test_a_table_of_labels_counts_in_place_of_the_folders(raw, tmp_path, class_names, caplog):
    before = run(raw, tmp_path, class_names)
    sha256 = before["manifest"].set_index("image_id")["sha256"]
    (raw / "Original/Pre/copy.png").write_bytes((raw / "Original/Early/2.png").read_bytes())  # two classes
    rows = [(sha256["Benign/0"], "Pro"), (sha256["Benign/1"], "Benign"), (sha256["Early/2"], "Pre")]
    text = "sha256,file_name,label,votes\n" + "".join(f"{key},,{label},2\n" for key, label in rows)
    with caplog.at_level("INFO"):
        made = run(raw, tmp_path, class_names, labels=write_labels(tmp_path, text))
    manifest = made["manifest"].set_index("image_id")
    assert manifest.loc[["Benign/0", "Benign/1", "Early/2", "Pre/copy"], "label"].tolist() == [
        "Pro",
        "Benign",
        "Pre",
        "Pre",
    ]
    assert manifest["folder_label"].dropna().to_dict() == {"Benign/0": "Benign", "Early/2": "Early"}
    assert manifest["status"].eq("accepted").all()
    assert made["ingestion_report"].set_index("label")["relabelled"].to_dict() == {
        "Benign": 0,
        "Early": 0,
        "Pre": 1,
        "Pro": 1,
        "total": 2,
    }
    assert "2 labels are those of the table of labels, and not of the folders" in caplog.text
    assert caplog.text.count("Decoding") == 2  # the copy, and not the labels
