"""The data sets of a second reader: itself, the registry that holds others, and its opinions."""

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
    """A folder of plain files, of which one tells what it holds.

    Args:
        filepath: The folder.
        metadata: For other tools.
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
    """A second reader as a folder of plain files, which appears whole or not at all, and loads as it was saved.

    Args:
        filepath: The folder.
        measurements: Where is kept what was measured of fields, for kinds that measure.
        cells: Where is kept which cells were found in fields, for kinds that read these.
        metadata: For other tools.
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
            InputError: Another run writes one there.
        """
        write_folder_whole(self._filepath, data.save)
        self._own = data.fingerprint

    def load(self) -> "SecondReader":
        """Read the reader; its network is loaded, and Keras with it, when it is first asked for.

        Raises:
            InputError: There is none, or it is damaged.
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
    """What answers for a reader in Keras' place; saving a plan makes it, unless it is there.

    Args:
        filepath: The folder.
        metadata: For other tools.
    """

    _facts = "engine.json"

    def save(self, data: "EnginePlan") -> None:
        """Make the engine, or keep the one that is there.

        Raises:
            InputError: It was asked for and cannot be had, or another run makes one there.
        """
        from leukoscope.reader.engine import prepare_engine

        prepare_engine(data, self._filepath)
        self._own = self._identify()

    def load(self) -> "OnnxClassifier | None":
        """Read the engine; ``None`` where there is none.

        Raises:
            InputError: It is damaged, or another run has replaced it.
        """
        from leukoscope.reader.engine import load_engine

        with self.loading_own():
            return load_engine(self._filepath)

    def _identify(self) -> str | None:
        file = self._filepath / self._facts
        return file.read_text(errors="replace") if file.is_file() else None


class _LateRegistry:
    """Stands for the registry until it is asked for something: most readings need none, and MLflow takes seconds."""

    def __init__(self, *facts: Any) -> None:
        self._facts = facts

    @cached_property
    def _registry(self) -> "ReaderRegistry":
        from leukoscope.serving.registry import ReaderRegistry

        return ReaderRegistry(*self._facts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


class ReaderRegistryDataset(AbstractDataset[dict[str, Any], "Registry"]):
    """The registry of second readers; saving registers one and makes it the champion, if that was decided.

    Args:
        name: Of the registered model.
        alias: Of the version that is at work.
        experiment: In which the readers to be registered were trained.
        metadata: For other tools.
    """

    def __init__(self, *, name: str, alias: str, experiment: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self._alias = alias
        self._experiment = experiment
        self.metadata = metadata
        self._promoted: str | None = None

    def load(self) -> "Registry":
        """Give the registry, which knows what this data set has promoted, and is opened when it is asked."""
        return _LateRegistry(self._name, self._alias, self._experiment, self._promoted)

    def save(self, data: dict[str, Any]) -> None:
        """Register ``reader`` with its ``limits`` and ``card``, if ``why``, which becomes its tags, says so.

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
    """Carries out a reading plan, into one Parquet file and one CSV file beside it.

    Parts that a run has read are kept in a folder beside them, so that a run which was killed goes on, and one that had
    ended reads nothing again.

    Args:
        filepath: The Parquet file.
        reader: The folder of the reader, from which the workers of a cluster load it.
        engine: The folder of what answers for it.
        log: The log for monitoring, to which opinions are added if the plan says so.
        requires: The columns that whatever loads them needs.
        optional: What else there may be, by name or pattern, and what that is: for the reference.
        metadata: For other tools.
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
            InputError: There is no file to read, another run reads into the same folder, or the cluster cannot be used.
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
        """Log opinions for monitoring; those that were written do not depend on it."""
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
        """Find who reads: the workers of a cluster, or nobody but this process."""
        cluster = plan.packing.cluster
        if cluster is None or not cluster.is_used or self._reader is None or self._engine is None:
            return None
        from leukoscope.cluster.parts import open_place
        from leukoscope.reader.parts import ReaderFiles, spread_reading

        files = ReaderFiles.find(plan.reader, Path(self._reader), Path(self._engine))
        opening = partial(open_place, cluster, self._filepath.parent.absolute())
        return partial(spread_reading, opening, files, notes=self._filepath.with_suffix(""))

    def load(self) -> pd.DataFrame:
        """Read the opinions, one row an image."""
        with self.loading_own(), self._filepath.open("rb") as file:
            table = rename_columns(pd.read_parquet(file, page_checksum_verification=True), self._filepath)
            if missing := [name for name in self._requires if name not in table]:
                raise ValueError(f"it lacks {', '.join(missing)}, as one that an earlier version wrote")
            return table

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
