"""The data sets of a second reader: the reader, its inference engine, the registry and the predictions."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from kedro.io import AbstractDataset

from leukoscope.core.errors import InputError
from leukoscope.core.objects import Where, place_parts
from leukoscope.core.old_names import rename_columns
from leukoscope.core.storage import hold, write_folder_whole
from leukoscope.datasets.own import FileState, OwnContent, OwnFile, require_there
from leukoscope.datasets.training import open_known

if TYPE_CHECKING:
    from leukoscope.models.onnx_network import OnnxClassifier
    from leukoscope.reader.base import Registry
    from leukoscope.reader.engine import EnginePlan
    from leukoscope.reader.opinion_log import OpinionLog
    from leukoscope.reader.reading import ReadingPlan, Spread
    from leukoscope.reader.second_reader import SecondReader
    from leukoscope.serving.registry import ReaderRegistry

logger = logging.getLogger(__name__)

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class _FolderDataset(OwnContent, AbstractDataset[Saved, Loaded]):
    """A folder of plain files, one of which describes the content.

    Args:
        filepath: The folder.
        metadata: Ignored here; may be used by other tools.
    """

    _facts: str

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return (self._filepath / self._facts).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class SecondReaderDataset(_FolderDataset["SecondReader", "SecondReader"]):
    """A second reader as a folder of plain files, written atomically, which loads as it was saved.

    Args:
        filepath: The folder.
        measurements: File of the measurements of fields, for kinds of models that use them.
        cells: File of the cells found in fields, for kinds of models that use them.
        metadata: Ignored here; may be used by other tools.
    """

    _facts = "reader.json"

    def __init__(
        self,
        *,
        filepath: str,
        measurements: str | None = None,
        cells: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._known = (measurements, cells)

    def save(self, data: "SecondReader") -> None:
        """Write the reader.

        Raises:
            InputError: Another run is writing a reader there.
        """
        write_folder_whole(self._filepath, data.save)
        self._own = data.fingerprint

    def load(self) -> "SecondReader":
        """Read the reader; its network, and Keras, are loaded lazily.

        Raises:
            InputError: The reader is missing or damaged.
        """
        from leukoscope.reader.second_reader import SecondReader

        with self.loading_own():
            require_there(self._filepath)
            return SecondReader.load(self._filepath, lazily=True, known=open_known(*self._known))

    def _identify(self) -> str | None:
        try:
            return json.loads((self._filepath / self._facts).read_text())["fingerprint"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return "damaged"


class EngineDataset(_FolderDataset["EnginePlan", "OnnxClassifier | None"]):
    """An inference engine that predicts for a reader instead of Keras; saving a plan creates it if it is missing.

    Args:
        filepath: The folder.
        metadata: Ignored here; may be used by other tools.
    """

    _facts = "engine.json"

    def save(self, data: "EnginePlan") -> None:
        """Create the engine, or keep the existing one.

        Raises:
            InputError: An engine was requested but cannot be made, or another run is making one there.
        """
        from leukoscope.reader.engine import prepare_engine

        prepare_engine(data, self._filepath)
        self._own = self._identify()

    def load(self) -> "OnnxClassifier | None":
        """Read the engine; ``None`` if there is none.

        Raises:
            InputError: The engine is damaged, or another run has replaced it.
        """
        from leukoscope.reader.engine import load_engine

        with self.loading_own():
            return load_engine(self._filepath)

    def _identify(self) -> str | None:
        file = self._filepath / self._facts
        return file.read_text(errors="replace") if file.is_file() else None


class _LateRegistry:
    """A registry opened on first use, since most readings need none and MLflow takes seconds to import."""

    def __init__(self, *facts: Any) -> None:
        self._facts = facts

    @cached_property
    def _registry(self) -> "ReaderRegistry":
        from leukoscope.serving.registry import ReaderRegistry

        return ReaderRegistry(*self._facts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


class ReaderRegistryDataset(AbstractDataset[dict[str, Any], "Registry"]):
    """The registry of second readers; saving registers a reader as the champion, if it was decided to promote it.

    Args:
        name: Name of the registered model.
        alias: Alias of the version in use.
        experiment: Experiment in which the readers to be registered were trained.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, name: str, alias: str, experiment: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self._alias = alias
        self._experiment = experiment
        self.metadata = metadata
        self._promoted: str | None = None

    def load(self) -> "Registry":
        """Return the registry, which is opened on first use and knows what this data set has promoted."""
        return _LateRegistry(self._name, self._alias, self._experiment, self._promoted)

    def save(self, data: dict[str, Any]) -> None:
        """Register ``reader`` with its ``limits`` and ``card`` if ``why``, which is stored as tags, says that it wins.

        Raises:
            InputError: Another run has promoted a reader since the decision.
        """
        from leukoscope.serving.requests import RequestLimits

        self._promoted = None
        if data["why"]["wins"]:
            limits = RequestLimits(**data["limits"])
            self._promoted = _LateRegistry(self._name, self._alias, self._experiment).promote(
                data["reader"], limits, data["card"], data["why"]
            )

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "alias": self._alias, "experiment": self._experiment}


class OpinionsDataset(OwnFile, AbstractDataset["ReadingPlan", pd.DataFrame]):
    """Executes a reading plan, and writes a Parquet file and a CSV file next to it.

    Finished parts are kept in a folder next to the files, so that a killed run resumes and a finished run is not
    repeated.

    Args:
        filepath: The Parquet file.
        reader: The folder of the reader, from which the workers of a cluster load it.
        engine: The folder of the reader's inference engine.
        log: The log for monitoring, to which predictions are added if the plan says so.
        requires: The columns that are required on loading.
        optional: Other columns, by name or pattern, with a description, for the reference.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(
        self,
        *,
        filepath: str,
        reader: str | None = None,
        engine: str | None = None,
        log: str | None = None,
        requires: Sequence[str] = (),
        optional: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        self._reader = reader
        self._engine = engine
        self._log = log
        self._requires = tuple(requires)
        self.optional = dict(optional or {})
        self.metadata = metadata

    def save(self, data: "ReadingPlan") -> None:
        """Read the images.

        Raises:
            InputError: There is no file to read, another run writes to the same folder, or the cluster is unusable.
        """
        from leukoscope.reader.opinion_log import OpinionLog
        from leukoscope.reader.reading import carry_out, gather_parts

        local = self._filepath.with_suffix("")
        cluster = data.packing.cluster
        parts = place_parts(local, cluster.parts if cluster else None)
        with hold(local):
            unread = carry_out(data, parts, self._find_spread(data))
            gather_parts(data, unread, parts, self._filepath, self._filepath.with_suffix(".csv"))
            if self._log and data.is_logged:
                self._add_to_log(data, parts, OpinionLog(Path(self._log)))
            self.remember(FileState.of(self._filepath))

    def _add_to_log(self, plan: "ReadingPlan", parts: Where, log: "OpinionLog") -> None:
        """Log predictions for monitoring; a failure does not affect the predictions already written."""
        from leukoscope.reader.reading import log_opinions

        try:
            log_opinions(plan, parts, log)
        except InputError as error:
            logger.warning(
                "The opinions are written, and not all are in the log for monitoring: the same command adds them, or "
                "monitoring.log_predictions=false leaves them out. %s",
                error,
            )

    def _find_spread(self, plan: "ReadingPlan") -> "Spread | None":
        """Find how to spread the reading over a cluster's workers; ``None``: this process reads alone."""
        cluster = plan.packing.cluster
        if cluster is None or not cluster.is_used or self._reader is None or self._engine is None:
            return None
        from leukoscope.cluster.parts import open_place
        from leukoscope.reader.parts import ReaderFiles, spread_reading

        files = ReaderFiles.find(plan.reader, Path(self._reader), Path(self._engine))
        opening = partial(open_place, cluster, self._filepath.parent.absolute())
        return partial(spread_reading, opening, files, notes=self._filepath.with_suffix(""))

    def load(self) -> pd.DataFrame:
        """Read the predictions, one row per image."""
        with self.loading_own(), self._filepath.open("rb") as file:
            table = rename_columns(pd.read_parquet(file, page_checksum_verification=True), self._filepath)
            if missing := [name for name in self._requires if name not in table]:
                raise ValueError(f"it lacks {', '.join(missing)}, as one that an earlier version wrote")
            return table

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
