"""Two runs of one project at the same time, of which one replaces what the other has saved."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.datasets import JSONDataset
from leukoscope.hooks import OtherRunsHook


def catalog_of(folder) -> DataCatalog:
    return DataCatalog({name: JSONDataset(filepath=str(folder / f"{name}.json")) for name in ("first", "second")})


def run(pipeline, catalog) -> None:
    hook, manager = OtherRunsHook(), _create_hook_manager()
    manager.register(hook)
    hook.before_pipeline_run({"runner": "SequentialRunner"}, catalog)
    SequentialRunner().run(pipeline, catalog, manager)


def test_a_run_saves_nothing_beside_what_another_has_put_in_place_of_its_own(tmp_path):
    def save_as_another_run() -> dict:
        catalog_of(tmp_path).save("first", {"of": "another"})
        return {"of": "this one"}

    pipeline = Pipeline(
        [Node(lambda: {"of": "this one"}, None, "first", name="a"), Node(save_as_another_run, None, "second", name="b")]
    )
    with pytest.raises((InputError, DatasetError), match=r"first\.json no longer holds what this run saved there"):
        run(pipeline, catalog_of(tmp_path))
    assert not (tmp_path / "second.json").exists()


def test_runs_one_after_another_are_free_to_replace(tmp_path):
    pipeline = Pipeline(
        [Node(lambda: {"a": 1}, None, "first", name="a"), Node(lambda first: first, "first", "second", name="b")]
    )
    for _ in range(2):
        catalog = catalog_of(tmp_path)
        run(pipeline, catalog)
        catalog_of(tmp_path).save("first", {"of": "another"})
    run(pipeline, catalog)
    assert catalog_of(tmp_path).load("second") == {"a": 1}


def test_a_runner_whose_processes_know_nothing_of_each_other_is_refused():
    with pytest.raises(InputError, match="ParallelRunner cannot run this project"):
        OtherRunsHook().before_pipeline_run({"runner": "ParallelRunner"}, DataCatalog())


def make_images(folder: Path, count: int, class_names) -> None:
    for label, name in enumerate(class_names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng(1000 * count + 100 * label + number)
            pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).resize((256, 256)).save(folder / name / f"{number}.png")


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_two_ingestions_at_once_report_their_own_images_or_refuse(project, tmp_path, class_names, times):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "KEDRO"))}
    command = [sys.executable, "-m", "kedro", "run", "--force", "--pipelines", "ingestion", "--params"]
    counts = {"a": 6, "b": 9}
    for name, count in counts.items():
        make_images(tmp_path / name, count, class_names)
    for _ in range(times):
        runs = {
            name: subprocess.Popen(
                [*command, f"raw_images={tmp_path / name},ingestion.workers=1"],
                cwd=project,
                env=environment | {"COLUMNS": "400"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for name in counts
        }
        outputs = {name: one.communicate(timeout=300)[0] for name, one in runs.items()}
        ended_well = [name for name, one in runs.items() if one.returncode == 0]
        for name in ended_well:
            assert f"{4 * counts[name]} files found: {4 * counts[name]} accepted" in outputs[name]
        for name in set(counts) - set(ended_well):
            assert "nother run" in outputs[name]
            assert "Traceback" not in outputs[name]
        if ended_well:
            records, manifest = (
                pd.read_parquet(project / "data/02_intermediate" / name)
                for name in ("smears/records.parquet", "manifest.parquet")
            )
            assert records["sha256"].tolist() == manifest["sha256"].tolist()
