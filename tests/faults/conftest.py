"""A small project with a trained model, and copies of it to spoil."""

import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from faults.workplace import MODEL, SEED, Workplace

logger = logging.getLogger(__name__)

# Enough for several parts of a reading.
_IMAGES = 1300
_SMALL = {"input_size": 32, "epochs": 5}


@pytest.fixture
def chance(request) -> random.Random:
    """Randomness of the test's own: the same seed gives the same moments for each, whichever tests run."""
    logger.warning("LEUKOSCOPE_FAULT_SEED=%d", SEED)
    return random.Random(f"{SEED}-{request.node.name}")


@pytest.fixture(scope="session")
def prepared(copy_project, tmp_path_factory) -> Path:
    """A project in which a small network was trained and evaluated, with images to read."""
    root = copy_project(tmp_path_factory.mktemp("prepared"))
    _make_small(root / "conf/demo/parameters.yml")
    (root / "data/demo").mkdir(parents=True)
    place = Workplace(tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("logs"), root)
    place.start(["--pipelines", f"train_{MODEL}"]).succeed()
    shutil.copytree(place.data, root / "data/demo", dirs_exist_ok=True)
    smears = sorted(place.data.glob("01_raw/leukemia/**/*.jpg"))
    (root / "data/demo/01_raw/unlabelled").mkdir()
    for number in range(_IMAGES):
        shutil.copy2(smears[number % len(smears)], root / f"data/demo/01_raw/unlabelled/{number:04}.jpg")
    return root


def _make_small(file: Path) -> None:
    values = yaml.safe_load(file.read_text())
    values["robustness"] = {"images": 8}
    values["promotion"] = {"min_images": 8}
    for model in (MODEL, "vgg16"):
        values["models"][model]["training"] |= _SMALL
    file.write_text(yaml.safe_dump(values))


@pytest.fixture
def make_workplace(prepared, tmp_path_factory) -> Callable[[Path], Workplace]:
    """Copies the project into a folder."""
    return lambda root: Workplace(root, tmp_path_factory.mktemp("logs"), prepared)


@pytest.fixture
def workplace(make_workplace, tmp_path) -> Workplace:
    return make_workplace(tmp_path)
