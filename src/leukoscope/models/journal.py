"""What a training leaves behind while it runs: its key, its history and its best weights so far."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd


class TrainingJournal:
    """The folder of one training; each file in it appears whole or not at all.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def start(cls, folder: Path, key: dict[str, Any]) -> "TrainingJournal":
        """Open the journal of the training that ``key`` determines.

        A finished training with the same key stays; anything else that was there is removed.
        """
        journal = cls(folder)
        if not (journal.finished and journal.key == json.loads(json.dumps(key))):
            shutil.rmtree(folder, ignore_errors=True)
            journal.folder.mkdir(parents=True)
            journal.write("key.json", lambda path: path.write_text(json.dumps(key, indent=2)))
        return journal

    @property
    def key(self) -> dict[str, Any]:
        """Everything that determines the training; empty when nothing was started."""
        file = self.folder / "key.json"
        return json.loads(file.read_text()) if file.is_file() else {}

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.folder / "summary.json").is_file()

    @property
    def best_weights(self) -> Path:
        """The weights of the epoch with the lowest validation loss."""
        return self.folder / "best.weights.h5"

    def history(self) -> pd.DataFrame:
        """Read one row for each whole epoch so far."""
        file = self.folder / "history.csv"
        return pd.read_csv(file) if file.is_file() else pd.DataFrame()

    def append(self, row: dict[str, float]) -> None:
        """Add an epoch to the history."""
        history = pd.concat([self.history(), pd.DataFrame([row])], ignore_index=True)
        self.write("history.csv", lambda path: history.to_csv(path, index=False))

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the training as finished and keep its summary."""
        self.write("summary.json", lambda path: path.write_text(json.dumps(summary, indent=2)))

    def summary(self) -> dict[str, Any]:
        """Read the summary of a finished training."""
        return json.loads((self.folder / "summary.json").read_text())

    def write(self, name: str, write: Callable[[Path], Any]) -> None:
        """Let ``write`` fill a file beside ``name``, then rename it."""
        unfinished = self.folder / f"unfinished.{name}"
        write(unfinished)
        os.replace(unfinished, self.folder / name)
