"""The log of predictions as a Kedro data set."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from leukoscope.core.counts import count_of
from leukoscope.reader.opinion_log import OpinionLog, Retention

logger = logging.getLogger(__name__)


class OpinionLogDataset(AbstractDataset[pd.DataFrame | Retention, pd.DataFrame]):
    """A log of predictions in a local SQLite file, kept for a limited time.

    Saving a table adds its rows; saving a ``Retention`` removes older rows. Loading returns all rows, the oldest first,
    like ``OpinionLog.load``.

    Args:
        filepath: The SQLite file.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._log = OpinionLog(self._filepath)
        self.metadata = metadata

    def save(self, data: pd.DataFrame | Retention) -> None:
        """Add predictions, or remove those older than the retention period.

        Raises:
            InputError: There is no log to remove predictions from, or the log cannot be written.
        """
        if isinstance(data, pd.DataFrame):
            self._log.append(data)
            return
        self._log.require_there()
        if data.days is None:
            return
        if removed := self._log.forget(datetime.now(UTC) - timedelta(days=data.days)):
            logger.info(
                "Removed %s of more than %d days ago from %s", count_of(removed, "opinion"), data.days, self._filepath
            )

    def load(self) -> pd.DataFrame:
        """Read all predictions.

        Raises:
            InputError: There is no log, or the file is not a log.
        """
        return self._log.load()

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
