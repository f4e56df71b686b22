"""The data sets of training: the journal of a run and the resulting classifier."""

import logging
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from kedro.io import AbstractDataset

from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold, write_folder_whole
from leukoscope.datasets.own import FileState, OwnFile
from leukoscope.models.base import FACTS, FOLDER, NETWORK, Classifier
from leukoscope.models.stored import find_classifier
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.pointer import POINTER, read_pointer
from leukoscope.training.runs import Started, TrainingRuns

if TYPE_CHECKING:
    from leukoscope.models.stored import Known

logger = logging.getLogger(__name__)


def open_known(measurements: str | None, cells: str | None) -> "Known":
    """Open the caches of earlier measurements and cells, for classifiers to be loaded.

    Args:
        measurements: The file of measurements, if any.
        cells: The file of cells, if any.
    """
    from leukoscope.core.cache import ContentCache
    from leukoscope.features.measuring import MeasurementStore
    from leukoscope.models.stored import Known

    store = MeasurementStore(Path(measurements)) if measurements else None
    return Known(store, ContentCache(Path(cells)) if cells else None)


class TrainingJournalDataset(AbstractDataset[dict[str, Any], TrainingJournal]):
    """Saving a key starts or continues the training that it identifies; loading returns the training's journal.

    Args:
        filepath: The pointer to the current training, in the model's folder, which contains all of its trainings.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata
        self._started: TrainingJournal | None = None

    def save(self, data: dict[str, Any]) -> None:
        """Start the training with this key, or continue with an interrupted or finished one.

        Raises:
            InputError: Another run is training the model.
        """
        runs = self._open()
        with hold(runs.home):
            started = runs.start(data)
            journal = started.journal
            self._started = TrainingJournal(journal.folder, journal.key, runs.home)
        _log_start(runs.home.name, started)

    def load(self) -> TrainingJournal:
        """Open the journal.

        Raises:
            InputError: No training was started, or another run has since started a different one.
        """
        journal = self._started or self._open().find_current()
        if journal is None:
            home = self._open().home
            raise InputError(f"No training was started in {home}. Run the pipeline from prepare_training on.")
        return TrainingJournal(journal.folder, journal.key, journal.home)

    def list_files(self) -> list[Path]:
        """List the files of the current training, if any, and the pointer to it."""
        home = self._open().home
        try:
            folder = read_pointer(home)
        except InputError:  # reported on loading
            folder = None
        return [home / POINTER, *(folder.rglob("*") if folder else ())]

    def _open(self) -> TrainingRuns:
        return TrainingRuns(Path(self._filepath).parent)

    def _exists(self) -> bool:
        return self._open().find_current() is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _log_start(name: str, started: Started) -> None:
    folder = started.journal.folder
    if started.adopted:
        logger.info("%s: what an earlier version kept in %s is in %s now", name, started.adopted, folder)
    if started.before:
        how = "starts afresh" if started.is_new else "goes on with the training that was kept"
        logger.info(
            "%s %s in %s: %s changed. What was trained before stays in %s, and counts again with its settings",
            name,
            how,
            folder,
            ", ".join(started.changes),
            started.before,
        )


class ClassifierDataset(OwnFile, AbstractDataset[Classifier, Classifier]):
    """A trained classifier of any kind.

    A network is one ``.keras`` file, which plain Keras can also load, with any backend. Any other kind is a folder
    next to where that file would be. The last loaded network is kept until it is released or another is loaded, since
    several successive nodes predict with it and a backend takes seconds to build and trace a network.

    Args:
        filepath: The file of a network.
        measurements: File of the measurements of fields, for kinds of models that use them.
        cells: File of the cells found in fields, for kinds of models that use them.
        lazily: Whether to load a network, and Keras, only when something is needed that the file itself does not
            state.
        metadata: Ignored here; may be used by other tools.
    """

    # The data set that loaded it, its content, and the classifier; shared, so that at most one is in memory.
    _kept: ClassVar[tuple["ClassifierDataset", str | None, Classifier] | None] = None

    def __init__(
        self,
        *,
        filepath: str,
        measurements: str | None = None,
        cells: str | None = None,
        lazily: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = PurePosixPath(filepath)
        self._measurements = measurements
        self._cells = cells
        self._lazily = lazily
        self.metadata = metadata

    @property
    def _home(self) -> Path:
        return Path(self._filepath).parent

    def save(self, data: Classifier) -> None:
        """Write the classifier atomically, replacing a classifier of any kind."""
        if data.place == NETWORK:
            shutil.rmtree(self._home / FOLDER, ignore_errors=True)
            self.save_own(Path(self._filepath), data.save)
            return
        states = []

        def write_and_look(folder: Path) -> None:
            data.save(folder)
            states.append(FileState.of(folder / FACTS))

        Path(self._filepath).unlink(missing_ok=True)
        write_folder_whole(self._home / FOLDER, write_and_look)
        self.remember(*states)

    def load(self) -> Classifier:
        """Read the classifier.

        Raises:
            InputError: No classifier was trained yet, or a file is damaged.
        """
        with self.loading_own():
            if self._lazily or self._find_own().name != NETWORK:
                return self._read()
            content = self._identify()
            kept = ClassifierDataset._kept
            if kept is None or kept[0] is not self or kept[1] != content:
                ClassifierDataset._kept = None  # never keep both in memory
                kept = ClassifierDataset._kept = self, content, self._read()
            return kept[2]

    def _read(self) -> Classifier:
        from leukoscope.models.stored import load_classifier

        return load_classifier(self._home, open_known(self._measurements, self._cells), self._lazily)

    def _release(self) -> None:
        if ClassifierDataset._kept and ClassifierDataset._kept[0] is self:
            ClassifierDataset._kept = None

    def list_files(self) -> list[Path]:
        """List the classifier's files, if any."""
        return [Path(self._filepath), *(self._home / FOLDER).rglob("*")]

    def _find_own(self) -> Path:
        return find_classifier(self._home)

    def _exists(self) -> bool:
        return find_classifier(self._home).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
