"""The journal of a training: its key, its history, and the state after its last complete epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_read_from_json, hold, read_json, write_folder_whole, write_json, write_whole
from leukoscope.models.base import FOLDER
from leukoscope.training.pointer import read_pointer

Write = Callable[[Path], Any]
# Raise by hand when the same key would give other weights, by more than rounding; earlier trainings then no longer
# count.
TRAINING_FORMAT = 1
# Earlier versions stored a hash of the training code in place of a format: the corresponding formats.
_FORMATS = {"4dd624662d2b63ca": 1}
# Name of the logger whose records describe each epoch: `model` and `epoch`, its figures.
EPOCHS = "leukoscope.epochs"
_HISTORY = {"epoch", "validation_loss"}
# The columns of the empty history of a kind without epochs.
NO_EPOCHS = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]


class TrainingJournal:
    """The folder of one training; each file in it is written atomically.

    The weights' files are named by their epoch, and an epoch counts once it is in the history: a run that dies before
    that leaves unreferenced files.

    Args:
        folder: Where the files are.
        key: Key of the only acceptable training; None: any.
        home: The model's folder, whose pointer names the active training; by default the folder's parent.
    """

    def __init__(self, folder: Path, key: dict[str, Any] | None = None, home: Path | None = None) -> None:
        self.folder = Path(folder)
        self.home = Path(home or self.folder.parent)
        self._expected = key

    def start(self, key: dict[str, Any]) -> None:
        """Create the folder for the training that ``key`` determines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "key.json", as_read_from_json(key))

    @property
    def key(self) -> dict[str, Any]:
        """Everything that determines the training; empty if none was started.

        Raises:
            InputError: The file is damaged, or another training has replaced the only acceptable one.
        """
        file = self.folder / "key.json"
        with self.explain_damage(file):
            key = _modernise(_read_facts(file))
        if self._expected is not None and (self._expected != key or not self._is_at_work()):
            raise InputError(
                f"Another run has started another training in {self.home} meanwhile. Let it end; then the same "
                f"command trains as it says."
            )
        return key

    def _is_at_work(self) -> bool:
        return read_pointer(self.home) in (None, self.folder)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Lock out other runs that train this model, or the same training for a study.

        Raises:
            InputError: Another run holds the lock.
        """
        with hold(self.home), hold(self.folder / "training"):
            yield

    def record_origin(self, origin: dict[str, Any]) -> None:
        """Record the software with which a training begins; a training that has begun keeps its record."""
        if not self.epochs and not self.finished:
            write_json(self.folder / "origin.json", origin)

    @property
    def origin(self) -> dict[str, Any]:
        """The software with which the training began; empty if it was not recorded."""
        file = self.folder / "origin.json"
        with self.explain_damage(file):
            return _read_facts(file)

    def record_model(self, fingerprint: str) -> None:
        """Record the model that the training produced, so that the training can be found from the model."""
        write_json(self.folder / "model.json", {"fingerprint": fingerprint})

    @property
    def model(self) -> str | None:
        """The fingerprint of the model that the training produced; ``None`` if there is none or it was not recorded."""
        try:
            return _read_facts(self.folder / "model.json").get("fingerprint")
        except (OSError, ValueError):  # it is recorded again whenever the model is made
            return None

    @property
    def finished(self) -> bool:
        """Whether the training is finished."""
        return (self.folder / "summary.json").exists()

    @property
    def epochs(self) -> int:
        """The number of complete epochs so far."""
        return len(self.history())

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss so far, the first of equals; 0 before the first."""
        history = self.history()
        return int(history.loc[history["validation_loss"].idxmin(), "epoch"]) if len(history) else 0

    @property
    def state(self) -> Path:
        """File from which training resumes after the last complete epoch: weights, optimizer, random generators."""
        return self.folder / _state(self.epochs)

    @property
    def best_weights(self) -> Path:
        """File of the network's weights after the best epoch."""
        return self.folder / _best(self.best_epoch)

    @property
    def final_weights(self) -> Path:
        """File of the final weights."""
        return self.folder / "final.npz"

    @property
    def features(self) -> Path:
        """Folder where the features of a frozen base are kept, for any training of the same model."""
        return self.home / "features"

    def history(self) -> pd.DataFrame:
        """Read one row per complete epoch so far.

        Raises:
            InputError: The file is damaged.
        """
        file = self.folder / "history.csv"
        with self.explain_damage(file):
            return _read_history(file) if file.is_file() else pd.DataFrame()

    @contextmanager
    def explain_damage(self, file: Path) -> Iterator[None]:
        """Turn a failure to read a file of the journal into an error that names the file.

        Raises:
            InputError: The file cannot be read.
        """
        try:
            if file.is_dir():
                raise IsADirectoryError("a folder is in its place")
            yield
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # a disk error, which does not mean that the content is wrong
            raise InputError(
                f"The file {file}, which the training needs, cannot be read: {error or 'it is empty'}. Remove "
                f"{self.folder} to train anew by the same command."
            ) from error

    def keep(self, epoch: int, validation_loss: float, save_state: Write, save_best: Write) -> None:
        """Keep the files of an epoch, which do not count before its row is in the history.

        Args:
            epoch: Its number, starting at 1.
            validation_loss: Decides whether it is the best epoch so far.
            save_state: Writes the state from which training resumes; called last, since saving the best weights may
                change the model's temporarily.
            save_best: Writes the network's weights; called only if no earlier epoch was better.
        """
        history = self.history()
        if history.empty or validation_loss < history["validation_loss"].min():
            write_whole(self.folder / _best(epoch), save_best)
        self.keep_state(epoch, save_state)

    def keep_state(self, epoch: int, save_state: Write) -> None:
        """Keep the state from which training resumes after an epoch, if there are no best weights."""
        write_whole(self.folder / _state(epoch), save_state)

    def append(self, row: dict[str, float]) -> None:
        """Add an epoch whose files are kept: from now on it counts.

        Args:
            row: The epoch's figures, including ``epoch`` and ``validation_loss``.
        """
        history = pd.concat([self.history(), pd.DataFrame([row])], ignore_index=True)
        write_whole(self.folder / "history.csv", lambda path: history.to_csv(path, index=False))
        self._remove_all_but(self.state, self.best_weights)

    def finish(self, summary: dict[str, Any], save_weights: Write) -> None:
        """Keep the weights and the summary, which marks the training as finished; remove the state."""
        write_whole(self.final_weights, save_weights)
        write_json(self.folder / "summary.json", summary)
        self._remove_all_but(self.final_weights)

    def finish_with_folder(self, summary: dict[str, Any], save: Write) -> None:
        """Keep a classifier that is a folder, and the summary, which marks the training as finished."""
        write_folder_whole(self.folder / FOLDER, save)
        self.finish_alone(summary)

    def finish_alone(self, summary: dict[str, Any]) -> None:
        """Keep the summary, which marks the training as finished, where it leaves no weights."""
        write_json(self.folder / "summary.json", summary)

    def summary(self) -> dict[str, Any]:
        """Read the summary of a finished training.

        Raises:
            InputError: The file is damaged.
        """
        file = self.folder / "summary.json"
        with self.explain_damage(file):
            return _read_facts(file)

    def _remove_all_but(self, *kept: Path) -> None:
        for file in self.folder.glob("*.npz"):
            if file not in kept:
                file.unlink()


def _modernise(key: dict[str, Any]) -> dict[str, Any]:
    """Update the key of an earlier version: a source hash became the format, and a backbone the architecture."""
    modern = {name: value for name, value in key.items() if name not in ("code", "backbone")}
    if "code" in key:
        modern["format"] = _FORMATS.get(key["code"], 0)
    if "backbone" in key:
        modern["architecture"] = key["backbone"]
    return modern


def _read_facts(file: Path) -> dict[str, Any]:
    facts = read_json(file)
    if not isinstance(facts, dict):
        raise ValueError(f"it holds a {type(facts).__name__}, not an object")
    return facts


def _read_history(file: Path) -> pd.DataFrame:
    """Read the epochs; every row must end with a line break."""
    content = file.read_bytes()
    history = pd.read_csv(file, float_precision="round_trip")
    if b"\0" in content or not content.endswith(b"\n") or not set(history.columns) >= _HISTORY:
        raise ValueError(f"it is not a whole table with {', '.join(sorted(_HISTORY))}")
    return history


def _state(epoch: int) -> str:
    return f"state-{epoch:04}.npz"


def _best(epoch: int) -> str:
    return f"best-{epoch:04}.npz"
