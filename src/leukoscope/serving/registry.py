"""The registry of second readers, in MLflow."""

import base64
import io
import logging
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType, Array, Map, Object, Property
from PIL import Image

import leukoscope
from leukoscope.core.errors import InputError
from leukoscope.evaluation.certificate import SENSITIVITIES, WORDS
from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns
from leukoscope.inference.cell_evidence import tells_cells
from leukoscope.reader.second_reader import SecondReader
from leukoscope.serving.answers import TILES
from leukoscope.serving.bodies import CELLS
from leukoscope.serving.model import ARTIFACT
from leukoscope.serving.requests import COLUMN, RequestLimits

logger = logging.getLogger(__name__)

_PACKAGE = Path(leukoscope.__file__).parent
# Packages that are imported to make predictions.
_REQUIRED = (
    "click",
    "imagehash",
    "joblib",
    "kedro",
    "keras",
    "lazy-loader",
    "mlflow",
    "numpy",
    "pandas",
    "pillow",
    "psutil",
    "pyarrow",
    "pydantic",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "simplejpeg",
    "skops",
)
_CARD = "model_card.md"
_EXPERIMENT = "experiment"
# Error codes for a missing model and a missing alias.
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# Number of characters that every registry store accepts.
_LONGEST_DESCRIPTION = 5000
_READER = f"artifacts/{ARTIFACT}"


class Registered(NamedTuple):
    """A reader in the registry.

    Attributes:
        version: Number of the version.
        reader: The reader.
        experiment: Experiment in which it was trained.
    """

    version: str
    reader: SecondReader
    experiment: str


class ReaderRegistry:
    """The versions of a registered model, one of which is the champion.

    Args:
        name: Name of the registered model.
        alias: Alias of the version in use.
        experiment: Experiment in which the readers to be registered were trained.
        promoted: The version that was just registered, if any.
    """

    def __init__(self, name: str, alias: str, experiment: str, promoted: str | None = None) -> None:
        self.name = name
        self.alias = alias
        self.experiment = experiment
        self.promoted = promoted

    def fetch(self, uri: str) -> SecondReader:
        """Load a reader, such as ``models:/leukoscope@champion`` or ``models:/leukoscope/3``.

        Only its files are read; none of its code is run.

        Raises:
            InputError: The model does not exist, or is not a second reader.
        """
        with tempfile.TemporaryDirectory() as scratch:
            try:
                folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch))
            except (MlflowException, OSError) as error:
                raise InputError(
                    f"The model {uri} could not be loaded from {mlflow.get_tracking_uri()}: {error}. Expected one like "
                    f"models:/{self.name}@{self.alias}, as `kedro run --pipelines promote` registers it."
                ) from error
            if not (folder / "MLmodel").is_file():
                raise InputError(
                    f"The files of the model {uri} are not where the registry has them. Put them back (in the project "
                    f"they lie in mlartifacts/), or delete that version in MLflow's page."
                )
            if not (folder / _READER).is_dir():
                raise InputError(
                    f"The model {uri} is no second reader, with calibration and training images. Register one by "
                    f"`kedro run --pipelines promote`."
                )
            return SecondReader.load(folder / _READER)

    def find_champion(self) -> Registered | None:
        """Load the reader in use, if there is one.

        Raises:
            InputError: The registry does not answer.
        """
        version = self._find_version()
        if version is None:
            return None
        reader = self.fetch(f"models:/{self.name}/{version.version}")
        return Registered(str(version.version), reader, version.tags.get(_EXPERIMENT, "unknown"))

    def _require_champion(self, version: str | None) -> None:
        """Check that the reader in use is still the one that a candidate was compared with.

        Args:
            version: Version of that reader; None: there was none.

        Raises:
            InputError: Another reader is in use, or the registry does not answer.
        """
        champion = self._find_version()
        now = None if champion is None else str(champion.version)
        if now != version:
            raise InputError(
                f"Nothing was promoted: the candidate was held against {_name(version)} of {self.name}, and the "
                f"{self.alias} is {_name(now)} now, which another run has promoted meanwhile. Run `promote` again."
            )

    def _find_version(self) -> ModelVersion | None:
        try:
            return mlflow.MlflowClient().get_model_version_by_alias(self.name, self.alias)
        except MlflowException as error:
            if error.error_code in _NOT_THERE and "not found" in str(error):
                return None
            raise InputError(
                f"The registry at {mlflow.get_tracking_uri()} does not say whether there is a {self.alias}: {error}. "
                f"Nothing was promoted; try again when it answers."
            ) from error

    def promote(self, reader: SecondReader, limits: RequestLimits, card: str | None, why: dict[str, Any]) -> str:
        """Register a reader as a new version, and make it the champion.

        Args:
            reader: The reader.
            limits: Limits of requests to it.
            card: Its model card in Markdown, if there is one.
            why: The reasons, stored as tags of the version, with the ``champion_version`` that it was compared with,
                if any.

        Returns:
            The version.

        Raises:
            InputError: There is a new champion meanwhile.
        """
        self._require_champion(why.get("champion_version"))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, ARTIFACT)
            folder.mkdir()
            reader.save(folder)
            artifacts = {ARTIFACT: str(folder)}
            if card:
                artifacts["model_card"] = str(Path(scratch, _CARD))
                Path(scratch, _CARD).write_text(card)
            logged = mlflow.pyfunc.log_model(
                name="second_reader",
                python_model=str(_PACKAGE / "serving/entry.py"),
                artifacts=artifacts,
                code_paths=[str(_PACKAGE)],
                model_config=limits._asdict(),
                signature=describe_signature(reader),
                input_example=pd.DataFrame({COLUMN: [make_example(reader)]}),
                metadata=reader.describe(),
                pip_requirements=list_requirements(),
            )
        registered = mlflow.register_model(
            logged.model_uri, self.name, tags=_as_tags(why | {_EXPERIMENT: self.experiment})
        )
        self._make_champion(registered.version, card, why.get("champion_version"))
        logger.info("Version %s of %s is the %s now", registered.version, self.name, self.alias)
        return str(registered.version)

    def _make_champion(self, version: str, card: str | None, before: str | None) -> None:
        """Describe a version, and set the alias last, so that a run killed before that has promoted nothing."""
        client = mlflow.MlflowClient()
        if card:
            client.update_model_version(self.name, version, description=card[:_LONGEST_DESCRIPTION])
        try:
            self._require_champion(before)  # checked again, since logging a model takes long
        except InputError:
            client.delete_model_version(self.name, version)
            raise
        client.set_registered_model_alias(self.name, self.alias, version)


def _name(version: str | None) -> str:
    return f"version {version}" if version else "no version"


def describe_signature(reader: SecondReader) -> ModelSignature:
    """Describe the inputs and outputs of a served reader."""
    figures = dict.fromkeys(["ood_score", MALIGNANT_COLUMN, *probability_columns(reader.class_names)])
    words = [ColSpec(DataType.string, name) for name in ("opinion", "reason")]
    if reader.certificate is not None:
        words.append(ColSpec(DataType.string, WORDS))
        figures |= dict.fromkeys(SENSITIVITIES)
    numbers = (ColSpec(DataType.double, name) for name in figures)
    of_scale = [ColSpec(DataType.string, "warning", False), ColSpec(DataType.double, "scale", False)]
    of_scale.append(ColSpec(Map(DataType.long), TILES, required=False))
    told = [*words, *numbers, *of_scale, ColSpec(DataType.string, "trained_on")]
    inputs = Schema([ColSpec(AnyType(), COLUMN)])
    if not tells_cells(reader.classifier):
        return ModelSignature(inputs, Schema([*told]))
    cells = ColSpec(_describe_cells(reader), CELLS, required=False)
    return ModelSignature(inputs, Schema([*told, cells]), ParamSchema([ParamSpec(CELLS, DataType.boolean, False)]))


def _describe_cells(reader: SecondReader) -> Array:
    """Describe the output for the cells of an image, as returned by ``list_cells``."""
    whole = dict.fromkeys(("cell", "left", "top", "right", "bottom"), DataType.long)
    types = whole | dict.fromkeys(("row", "column"), DataType.double)
    types |= dict.fromkeys(("touching", "cut"), DataType.boolean) | {"weight": DataType.double}
    facts = [Property(name, kind) for name, kind in types.items()]
    contributions = Object([Property(name, DataType.double) for name in reader.class_names])
    return Array(Object([*facts, Property("contributions", contributions)]))


def make_example(reader: SecondReader) -> str:
    """Make an example image of a shadow, in base64, at the reader's size; an empty image would be refused."""
    content = io.BytesIO()
    shadow = np.linspace(180, 240, reader.image_size).astype(np.uint8)
    Image.fromarray(np.tile(shadow[:, None, None], (1, reader.image_size, 3))).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def list_requirements() -> list[str]:
    """List the packages that serving needs, in the installed versions, including the backend."""
    import keras

    return [f"{package}=={version(package)}" for package in (*_REQUIRED, keras.backend.backend())]


def _as_tags(why: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in why.items() if isinstance(value, str | int | float)}
