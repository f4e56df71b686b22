import subprocess
import sys

import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.images.decoding import Limits
from leukoscope.images.packing_plan import PackingPlan

CLASSES = ("Benign", "Early")


@pytest.fixture
def raw(tmp_path):
    for number, name in enumerate(CLASSES):
        folder = tmp_path / "raw" / name
        folder.mkdir(parents=True)
        pixels = np.full((32, 32, 3), number, np.uint8)
        pixels[16:] = 200
        Image.fromarray(pixels).save(folder / "a.png")
    return tmp_path / "raw"


@pytest.fixture
def catalog(raw, tmp_path):
    return DataCatalog.from_config(
        {
            "raw_images": {"type": "leukoscope.datasets.RawImagesDataset", "filepath": str(raw)},
            "smears": {"type": "leukoscope.datasets.PackedImagesDataset", "filepath": str(tmp_path / "2/smears")},
        }
    )


@pytest.fixture
def plan(catalog):
    return PackingPlan(catalog.load("raw_images"), CLASSES, 32, Limits(16, 10_000, 10_000))


def test_a_saved_plan_loads_as_packed_images(catalog, plan):
    assert not catalog.exists("smears")
    catalog.save("smears", plan)
    assert catalog.exists("smears")
    assert catalog.load("smears").pixels[:, 0, 0, 0].tolist() == [0, 1]


def test_smears_that_were_never_saved_are_an_input_error(catalog):
    with pytest.raises(DatasetError, match=r"There is no .*Run") as error:
        catalog.load("smears")
    assert isinstance(error.value.__cause__, InputError)


def test_a_plan_without_usable_images_is_an_input_error(catalog, plan, raw):
    for path in raw.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="can be decoded, of 2") as error:
        catalog.save("smears", plan)
    assert isinstance(error.value.__cause__, InputError)
    assert not catalog.exists("smears")


def test_missing_raw_images_are_an_input_error(tmp_path):
    catalog = DataCatalog.from_config(
        {"raw_images": {"type": "leukoscope.datasets.RawImagesDataset", "filepath": str(tmp_path / "none")}}
    )
    assert not catalog.exists("raw_images")
    with pytest.raises(DatasetError, match="There are no images") as error:
        catalog.load("raw_images")
    assert isinstance(error.value.__cause__, InputError)


def test_raw_images_are_never_written(catalog):
    with pytest.raises(DatasetError, match="read only"):
        catalog.save("raw_images", "anything")


def test_importing_the_package_of_data_sets_is_cheap():
    script = "import sys, leukoscope.datasets; print({'pandas', 'PIL', 'keras', 'kedro_datasets'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "set()"
