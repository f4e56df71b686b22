"""The data sets of training: the journal of a run and the classifier that comes of it."""

import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold
from leukoscope.datasets.own import OwnFile
from leukoscope.training.journal import TrainingJournal

if TYPE_CHECKING:
    from leukoscope.models.network import Classifier

logger = logging.getLogger(__name__)


class TrainingJournalDataset(AbstractDataset[dict[str, Any], TrainingJournal]):
    """Saving a key starts the training that it determines, or keeps a finished one; loading gives its journal.

    Args:
        filepath: The journal's folder.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata
        self._started: dict[str, Any] | None = None

    def save(self, data: dict[str, Any]) -> None:
        """Start the training with this key, or let an interrupted or finished one be gone on with.

        Raises:
            InputError: Another run trains there.
        """
        journal = TrainingJournal(Path(self._filepath))
        with hold(journal.folder):
            changes = journal.start(data)
            self._started = journal.key
        if changes:
            _log_change(journal.folder.parent.name, changes, journal)

    def load(self) -> TrainingJournal:
        """Open the journal.

        Raises:
            InputError: No training was started, or another run has started another one since.
        """
        if not self._exists():
            raise InputError(f"No training was started in {self._filepath}. Run the pipeline from prepare_training on.")
        journal = TrainingJournal(Path(self._filepath), self._started)
        return TrainingJournal(journal.folder, journal.key)

    def _exists(self) -> bool:
        return (Path(self._filepath) / "key.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _log_change(name: str, changes: list[str], journal: TrainingJournal) -> None:
    how = f"goes on with the training that was kept in {journal.came_from}" if journal.came_from else "starts afresh"
    logger.info(
        "%s %s: %s changed. What was trained before is kept in %s, and comes back with its settings",
        name,
        how,
        ", ".join(changes),
        journal.kept_at,
    )


class ClassifierDataset(OwnFile, AbstractDataset["Classifier", "Classifier"]):
    """A trained classifier as one ``.keras`` file, which plain Keras loads too, under any of its backends.

    Args:
        filepath: The file.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def save(self, data: "Classifier") -> None:
        """Write the classifier, whole or not at all."""
        self.save_own(Path(self._filepath), data.save)

    def load(self) -> "Classifier":
        """Read the classifier.

        Raises:
            InputError: Nothing was trained yet, or the file is damaged.
        """
        from leukoscope.models.network import Classifier

        with self.loading_own():
            return Classifier.load(Path(self._filepath))

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
