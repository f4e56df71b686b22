"""What determines what a run makes, and what its data sets hold, as hashes."""

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.pipeline import Pipeline

from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.datasets import (
    ClassifierDataset,
    EvaluationRecordsDataset,
    EvaluationsDataset,
    GroupTableDataset,
    LabelReviewsDataset,
    LabelTableDataset,
    MeasurementsDataset,
    PackedImagesDataset,
    PagesDataset,
    PartitionedDataset,
    RawImagesDataset,
    SoftwareDataset,
    TrainedModelsDataset,
    TrainingJournalDataset,
)
from leukoscope.datasets.optional import unwrap
from leukoscope.datasets.own import OwnFile
from leukoscope.images.files import ImageSource
from leukoscope.images.listing import divide
from leukoscope.images.naming import write_found

_PACKAGE = Path(__file__).parents[1]
_CONFIGURATION = ("parameters", "globals", "catalog", "mlflow")
# What the command line adds to the configuration and does not change what is made.
_OF_NO_CONSEQUENCE = {"run_id", "kedro_version", "runtime_params"}
# What Keras, its backends and the numerical libraries read.
_OF_BACKENDS = ("KERAS_", "TF_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "CUDA_", "NVIDIA_")
_OF_LIBRARIES = ("ONEDNN_", "DNNL_", "OMP_", "MKL_", "OPENBLAS_", "LEUKOSCOPE_")
_PREFIXES = (*_OF_BACKENDS, *_OF_LIBRARIES)
ABSENT = "absent"
# Those that have files of several places, or of a place that the kind of the model decides.
_LISTING = (TrainingJournalDataset, EvaluationRecordsDataset, ClassifierDataset, TrainedModelsDataset)
# Those that load as little as is hashed.
_LOOKED_UP = (PagesDataset, SoftwareDataset)
_IN_FILES = (
    OwnFile,
    PackedImagesDataset,
    PartitionedDataset,
    TrainingJournalDataset,
    TrainedModelsDataset,
    GroupTableDataset,
    LabelTableDataset,
    EvaluationsDataset,
    EvaluationRecordsDataset,
    LabelReviewsDataset,
)


def describe_causes(context: KedroContext, run_params: dict[str, Any], pipeline: Pipeline) -> dict[str, str]:
    """Hash what determines what a run makes, but for the content of what it takes.

    Args:
        context: Of the session.
        run_params: As hooks get them.
        pipeline: What is to be run.

    Returns:
        A hash for each of ``command``, ``configuration``, ``weights``, ``code``, ``libraries`` and ``environment``.
    """
    command = {name: _order(value) for name, value in run_params.items() if name not in _OF_NO_CONSEQUENCE}
    command["runner"] = re.sub(" at 0x[0-9a-f]+", "", str(run_params.get("runner")))  # its place in memory
    settings = [context.config_loader[name] for name in _CONFIGURATION]
    return {
        "command": fingerprint_facts([command, sorted(node.name for node in pipeline.nodes)]),
        "configuration": fingerprint_facts(settings),
        "weights": _hash_files(_find_weights(settings[0])),
        "code": _hash_files(path for path in _PACKAGE.rglob("*") if "__pycache__" not in path.parts),
        "libraries": fingerprint_facts(_list_libraries()),
        "environment": fingerprint_facts(_describe_machine()),
    }


def _order(value: Any) -> Any:
    """Put the names of pipelines, nodes or tags in order: Kedro hands them on as they come out of a set."""
    return sorted(value) if isinstance(value, list | tuple) else value


def can_be_told(dataset: Any) -> bool:
    """Tell whether it can be told what a data set holds.

    Args:
        dataset: From the catalog.
    """
    dataset = unwrap(dataset)
    local = getattr(dataset, "_protocol", "file") == "file"
    return local and isinstance(dataset, (*_IN_FILES, RawImagesDataset, *_LOOKED_UP, MeasurementsDataset))


def describe_content(dataset: Any) -> str:
    """Hash what a data set holds.

    Of raw images it is what ingestion goes by: their names, sizes and times. Of all else it is the content.

    Args:
        dataset: From the catalog, one whose content can be told.
    """
    dataset = unwrap(dataset)
    if isinstance(dataset, RawImagesDataset):
        return _hash_listing(dataset.load())
    if isinstance(dataset, _LOOKED_UP):
        return fingerprint_facts(dataset.load())
    if isinstance(dataset, MeasurementsDataset):
        return "a cache, which changes nothing"
    if isinstance(dataset, PartitionedDataset):
        return _hash_files(Path(path) for path in dataset._list_partitions()) if dataset._exists() else ABSENT
    if isinstance(dataset, _LISTING):
        return _hash_files(dataset.list_files())
    place = Path(str(dataset._filepath))
    return _hash_files(place.rglob("*") if place.is_dir() else [place])


def _hash_listing(source: ImageSource) -> str:
    """Hash what ``fingerprint_facts`` would of the root and all files, without having them in memory at once."""
    digest = hashlib.sha256(f"[{json.dumps(str(source.root))}, [".encode())
    for start, stop in divide(len(source.files)):
        files = write_found(source.files.read(start, stop), ", ")
        digest.update(f"{', ' if start else ''}{files}".encode())
    digest.update(b"]]")
    return digest.hexdigest()[:16]


def _hash_files(paths: Iterable[Path]) -> str:
    """Hash files' places and content; what is no file, or is not there, is left out."""
    digest = hashlib.sha256()
    files = sorted(path for path in paths if path.is_file())
    for path in files:
        digest.update(f"{path}\0".encode(errors="surrogateescape"))
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if files else ABSENT


def _find_weights(parameters: Any) -> list[Path]:
    """List the files that parameters name as weights, at any depth."""
    if isinstance(parameters, list):
        return [path for value in parameters for path in _find_weights(value)]
    if not isinstance(parameters, dict):
        return []
    named = [Path(value) for name, value in parameters.items() if name == "weights" and isinstance(value, str)]
    return named + [path for value in parameters.values() for path in _find_weights(value)]


def _list_libraries() -> list[str]:
    """List the installed distributions with their versions, by the folders that say so, and the interpreter."""
    folders = [Path(folder) for folder in sys.path if folder]
    names = {
        path.name for folder in folders for pattern in ("*.dist-info", "*.egg-info") for path in folder.glob(pattern)
    }
    return [sys.version, *sorted(names)]


def _describe_machine() -> list[Any]:
    """Name the machine, its accelerators, and what the environment tells the libraries that compute."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}
    keras = Path(os.environ.get("KERAS_HOME", Path("~/.keras").expanduser()), "keras.json")
    devices = sorted(str(path) for path in Path("/dev").glob("nvidia*"))
    return [platform.machine(), platform.system(), devices, variables, _hash_files([keras])]
