"""What a training leaves behind while it runs: its key, its history, and the state after its last whole epoch."""

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
# Raised by hand when the same key would give other weights, by more than rounding; trainings of before then no longer
# count.
TRAINING_FORMAT = 1
# What earlier versions had instead of a format: the hash of the code that trained, by the format that it was.
_FORMATS = {"4dd624662d2b63ca": 1}
# The logger whose records tell of each epoch: `model` and `epoch`, its figures.
EPOCHS = "leukoscope.epochs"
_HISTORY = {"epoch", "validation_loss"}
# The columns of the history of a kind that has no epochs, and so no row.
NO_EPOCHS = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]


class TrainingJournal:
    """The folder of one training; each file in it appears whole or not at all.

    The weights' files are named by the epoch that they belong to, and an epoch counts once it is in the history: a run
    that dies before that leaves files which nothing refers to.

    Args:
        folder: Where the files are.
        key: Of the only training that will do; None: any.
        home: The model's folder, in which its pointer says which training is at work; by default the folder's parent.
    """

    def __init__(self, folder: Path, key: dict[str, Any] | None = None, home: Path | None = None) -> None:
        self.folder = Path(folder)
        self.home = Path(home or self.folder.parent)
        self._expected = key

    def start(self, key: dict[str, Any]) -> None:
        """Make the folder for the training that ``key`` determines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "key.json", as_read_from_json(key))

    @property
    def key(self) -> dict[str, Any]:
        """Everything that determines the training; empty when nothing was started.

        Raises:
            InputError: The file is damaged, or another training has taken the place of the only one that will do.
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
        """Let no other run train meanwhile, neither the model here nor the same training for a study.

        Raises:
            InputError: Another run does.
        """
        with hold(self.home), hold(self.folder / "training"):
            yield

    def record_origin(self, origin: dict[str, Any]) -> None:
        """Keep with what software a training begins; one that has begun keeps what it began with."""
        if not self.epochs and not self.finished:
            write_json(self.folder / "origin.json", origin)

    @property
    def origin(self) -> dict[str, Any]:
        """With what software the training began; empty where that was not recorded."""
        file = self.folder / "origin.json"
        with self.explain_damage(file):
            return _read_facts(file)

    def record_model(self, fingerprint: str) -> None:
        """Keep which model came of the training, so that what is told of the model finds the training."""
        write_json(self.folder / "model.json", {"fingerprint": fingerprint})

    @property
    def model(self) -> str | None:
        """The fingerprint of the model that came of the training; ``None`` where none has, or it was not recorded."""
        try:
            return _read_facts(self.folder / "model.json").get("fingerprint")
        except (OSError, ValueError):  # it is recorded anew whenever the model is made
            return None

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.folder / "summary.json").exists()

    @property
    def epochs(self) -> int:
        """The number of whole epochs so far."""
        return len(self.history())

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss so far, the first of equals; 0 before the first."""
        history = self.history()
        return int(history.loc[history["validation_loss"].idxmin(), "epoch"]) if len(history) else 0

    @property
    def state(self) -> Path:
        """All that training goes on from after the last whole epoch: weights, optimizer, random generators."""
        return self.folder / _state(self.epochs)

    @property
    def best_weights(self) -> Path:
        """The network's weights after the best epoch."""
        return self.folder / _best(self.best_epoch)

    @property
    def final_weights(self) -> Path:
        """The weights that the training ended with."""
        return self.folder / "final.npz"

    @property
    def features(self) -> Path:
        """Where the features of a frozen base are kept, for any training of the same model."""
        return self.home / "features"

    def history(self) -> pd.DataFrame:
        """Read one row for each whole epoch so far.

        Raises:
            InputError: The file is damaged.
        """
        file = self.folder / "history.csv"
        with self.explain_damage(file):
            return _read_history(file) if file.is_file() else pd.DataFrame()

    @contextmanager
    def explain_damage(self, file: Path) -> Iterator[None]:
        """Say of a file of the journal that it cannot be read, if it cannot.

        Raises:
            InputError: It cannot be.
        """
        try:
            if file.is_dir():
                raise IsADirectoryError("a folder is in its place")
            yield
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk, which does not make what is there wrong
            raise InputError(
                f"The file {file}, which the training needs, cannot be read: {error or 'it is empty'}. Remove "
                f"{self.folder} to train anew by the same command."
            ) from error

    def keep(self, epoch: int, validation_loss: float, save_state: Write, save_best: Write) -> None:
        """Keep the files of an epoch, which do not count before its row is in the history.

        Args:
            epoch: Its number, from 1 on.
            validation_loss: Tells whether it is the best so far.
            save_state: Writes what training goes on from; called last, since the best weights may be got by changing
                the model's for a moment.
            save_best: Writes the network's weights; called only if there was no better epoch before.
        """
        history = self.history()
        if history.empty or validation_loss < history["validation_loss"].min():
            write_whole(self.folder / _best(epoch), save_best)
        self.keep_state(epoch, save_state)

    def keep_state(self, epoch: int, save_state: Write) -> None:
        """Keep what training goes on from after an epoch, where there is no best one."""
        write_whole(self.folder / _state(epoch), save_state)

    def append(self, row: dict[str, float]) -> None:
        """Add an epoch whose files are kept: from now on it counts.

        Args:
            row: With ``epoch`` and ``validation_loss``.
        """
        history = pd.concat([self.history(), pd.DataFrame([row])], ignore_index=True)
        write_whole(self.folder / "history.csv", lambda path: history.to_csv(path, index=False))
        self._remove_all_but(self.state, self.best_weights)

    def finish(self, summary: dict[str, Any], save_weights: Write) -> None:
        """Keep the weights and the summary, which marks the training as finished; what it went on from can go."""
        write_whole(self.final_weights, save_weights)
        write_json(self.folder / "summary.json", summary)
        self._remove_all_but(self.final_weights)

    def finish_with_folder(self, summary: dict[str, Any], save: Write) -> None:
        """Keep a classifier that is a folder, and the summary, which marks the training as finished."""
        write_folder_whole(self.folder / FOLDER, save)
        self.finish_alone(summary)

    def finish_alone(self, summary: dict[str, Any]) -> None:
        """Keep the summary of what leaves no weights of its own, which marks it as finished."""
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
    """Read a key of an earlier version: a hash of the source stood for the format, a backbone for the architecture."""
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
    """Read the epochs; every row ends with a line break."""
    content = file.read_bytes()
    history = pd.read_csv(file, float_precision="round_trip")
    if b"\0" in content or not content.endswith(b"\n") or not set(history.columns) >= _HISTORY:
        raise ValueError(f"it is not a whole table with {', '.join(sorted(_HISTORY))}")
    return history


def _state(epoch: int) -> str:
    return f"state-{epoch:04}.npz"


def _best(epoch: int) -> str:
    return f"best-{epoch:04}.npz"
