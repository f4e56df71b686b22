"""Hashes of everything that determines a run's outputs, and of the contents of its data sets."""

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
# Run parameters that do not affect the outputs.
_OF_NO_CONSEQUENCE = {"run_id", "kedro_version", "runtime_params"}
# Environment variables read by Keras, its backends and the numerical libraries.
_OF_BACKENDS = ("KERAS_", "TF_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "CUDA_", "NVIDIA_")
_OF_LIBRARIES = ("ONEDNN_", "DNNL_", "OMP_", "MKL_", "OPENBLAS_", "LEUKOSCOPE_")
_PREFIXES = (*_OF_BACKENDS, *_OF_LIBRARIES)
ABSENT = "absent"
# Data sets with files in several places, or in a place that depends on the kind of model.
_LISTING = (TrainingJournalDataset, EvaluationRecordsDataset, ClassifierDataset, TrainedModelsDataset)
# Data sets that load no more than is hashed.
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
    """Hash everything that determines a run's outputs, except for the content of its inputs.

    Args:
        context: The session's context.
        run_params: The run parameters that hooks receive.
        pipeline: The pipeline to be run.

    Returns:
        A hash for each of ``command``, ``configuration``, ``weights``, ``code``, ``libraries`` and ``environment``.
    """
    command = {name: _order(value) for name, value in run_params.items() if name not in _OF_NO_CONSEQUENCE}
    command["runner"] = re.sub(" at 0x[0-9a-f]+", "", str(run_params.get("runner")))  # without its memory address
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
    """Sort the names of pipelines, nodes or tags, which Kedro passes on in the order of a set."""
    return sorted(value) if isinstance(value, list | tuple) else value


def can_be_told(dataset: Any) -> bool:
    """Return whether the content of a data set can be hashed.

    Args:
        dataset: A data set from the catalog.
    """
    dataset = unwrap(dataset)
    local = getattr(dataset, "_protocol", "file") == "file"
    return local and isinstance(dataset, (*_IN_FILES, RawImagesDataset, *_LOOKED_UP, MeasurementsDataset))


def describe_content(dataset: Any) -> str:
    """Hash the content of a data set.

    For raw images, names, sizes and times are hashed, as ingestion uses them; for all other data sets, the content.

    Args:
        dataset: A data set from the catalog whose content can be hashed.
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
    """Compute the hash that ``fingerprint_facts`` gives for the root and all files, without listing them in memory."""
    digest = hashlib.sha256(f"[{json.dumps(str(source.root))}, [".encode())
    for start, stop in divide(len(source.files)):
        files = write_found(source.files.read(start, stop), ", ")
        digest.update(f"{', ' if start else ''}{files}".encode())
    digest.update(b"]]")
    return digest.hexdigest()[:16]


def _hash_files(paths: Iterable[Path]) -> str:
    """Hash the paths and contents of files, skipping paths that are missing or not files."""
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
    """List the interpreter and the installed distributions with versions, from the names of their metadata folders."""
    folders = [Path(folder) for folder in sys.path if folder]
    names = {
        path.name for folder in folders for pattern in ("*.dist-info", "*.egg-info") for path in folder.glob(pattern)
    }
    return [sys.version, *sorted(names)]


def _describe_machine() -> list[Any]:
    """Describe the machine, its accelerators, and the environment variables of the libraries that compute."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}
    keras = Path(os.environ.get("KERAS_HOME", Path("~/.keras").expanduser()), "keras.json")
    devices = sorted(str(path) for path in Path("/dev").glob("nvidia*"))
    return [platform.machine(), platform.system(), devices, variables, _hash_files([keras])]
