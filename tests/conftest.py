"""Images and data sets that the tests make themselves."""

import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings

from leukoscope.core.commands import set_environment
from leukoscope.evaluation.predictions import tabulate_probabilities

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# No test depends on speed: machines are busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

PROJECT = Path(__file__).parents[1]
CLASS_NAMES = ["Benign", "Early", "Pre", "Pro"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that run whole commands: each takes minutes, for which one worker would wait at the end."""
    items.sort(key=lambda item: item.path.parent != PROJECT / "tests")


@pytest.fixture(scope="module", autouse=True)
def _outside_of_sessions() -> None:
    """Let messages of one file name no environment of a session that another file has opened."""
    set_environment(None)


@pytest.fixture(scope="module", autouse=True)
def _collect_no_old_objects() -> None:
    """Set aside what lives: over a million objects of Keras, MLflow and pytest, half a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def class_names() -> list[str]:
    return list(CLASS_NAMES)


@pytest.fixture(scope="session")
def project_path() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def copy_project(project_path) -> Callable[[Path], Path]:
    """Copies into an empty folder what a run needs, with a small demo, so that it leaves nothing in the project."""

    def copy(root: Path) -> Path:
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(project_path / name, root / name)
        shutil.copytree(project_path / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
        (root / "conf/local").mkdir()
        shutil.copytree(project_path / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        settings = root / "conf/demo/globals.yml"
        settings.write_text(yaml.safe_dump(yaml.safe_load(settings.read_text()) | {"images_per_class": 24}))
        return root

    return copy


@pytest.fixture(scope="module")
def project(copy_project, tmp_path_factory) -> Path:
    """A small project of the module's own."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory) -> Path:
    """A database with all tables of MLflow and nothing in them: copying it saves the seconds that making one takes."""
    import mlflow

    path = tmp_path_factory.mktemp("records") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def splits(class_names) -> pd.DataFrame:
    """Forty images a class: 28 train, 6 validate, 6 test."""
    names = np.repeat(class_names, 40)
    ids = [f"{name}/{number:02d}" for name in class_names for number in range(40)]
    split = np.tile(["train"] * 28 + ["validation"] * 6 + ["test"] * 6, len(class_names))
    return pd.DataFrame({"image_id": ids, "label": names, "group": ids, "split": split})


class Smears:
    """Stands in for packed images: squares whose brightness depends on the class, so that any network learns."""

    def __init__(self, splits: pd.DataFrame, size: int = 48) -> None:
        rng = np.random.default_rng(0)
        classes = splits["label"].map({name: n for n, name in enumerate(CLASS_NAMES)}).to_numpy()
        noise = rng.integers(0, 40, (len(splits), size, size, 3))
        self.pixels = (noise + 50 * classes[:, None, None, None]).astype("uint8")
        self.records = splits[["image_id"]].assign(sha256=[f"{n:064x}" for n in range(len(splits))], drawn=False)
        self._rows = dict(zip(splits["image_id"], range(len(splits)), strict=True))

    def rows(self, image_ids) -> np.ndarray:
        return np.array([self._rows[name] for name in image_ids], dtype=int)


@pytest.fixture
def smears(splits) -> Smears:
    return Smears(splits)


@pytest.fixture
def predictions(splits, class_names, rng) -> pd.DataFrame:
    """Three of four are right."""
    probabilities = rng.dirichlet(np.ones(4), len(splits))
    right = splits["label"].map({name: n for n, name in enumerate(class_names)}).to_numpy()
    probabilities[np.arange(0, len(splits), 4), right[::4]] = 0.01
    others = np.arange(len(splits)) % 4 != 0
    probabilities[others, right[others]] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return splits[["image_id", "split", "label"]].join(tabulate_probabilities(probabilities, class_names))
