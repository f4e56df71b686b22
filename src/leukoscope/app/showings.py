"""Record which predictions were shown to whom, since a reviewer who has seen one can no longer read the field blind."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
from kedro.io import DatasetError

from leukoscope.app.options import AppOptions
from leukoscope.core.errors import InputError

logger = logging.getLogger(__name__)


class Showings:
    """The predictions that were shown, and when.

    A showing belongs to a reviewer or, if no name was entered, to a browser, and then counts for anyone who uses it.

    Args:
        known: Earlier showings: ``shown_at, sha256, reviewer, browser``.
        keep: Saves further rows, if they are to be saved.
        washout_days: Number of days after which a reviewer is assumed to have forgotten the field.
    """

    def __init__(
        self,
        known: pd.DataFrame | None = None,
        keep: Callable[[pd.DataFrame], None] | None = None,
        washout_days: float = AppOptions().washout_days,
    ) -> None:
        rows = [] if known is None else known.to_dict("records")
        self._times = {(row["sha256"], row["reviewer"], row["browser"]): str(row["shown_at"]) for row in rows}
        self._keep = keep
        self._washout = timedelta(days=washout_days)

    def add(self, sha256: str, reviewer: str, browser: str) -> None:
        """Record, also on disk, that a prediction is shown now; if it cannot be saved, log a message."""
        key = sha256, reviewer, "" if reviewer else browser
        if self._is_recent(self._times.get(key)):
            return
        self._times[key] = datetime.now(UTC).isoformat(timespec="seconds")
        if self._keep is None:
            return
        names = ("sha256", "reviewer", "browser")
        try:
            self._keep(pd.DataFrame([dict(zip(names, key, strict=True)) | {"shown_at": self._times[key]}]))
        except (DatasetError, InputError) as error:
            logger.error("That an opinion was shown is forgotten when the server ends: %s", error)

    def find(self, sha256: str, reviewer: str, browser: str) -> str | None:
        """Return when a field's prediction was last shown to a reviewer, UTC, ISO 8601; ``None`` if it was not."""
        times = (self._times.get((sha256, *who)) for who in ((reviewer, ""), ("", browser)))
        recent = [when for when in times if when is not None and self._is_recent(when)]
        return max(recent, default=None)

    def _is_recent(self, when: str | None) -> bool:
        if when is None:
            return False
        try:
            return datetime.now(UTC) - datetime.fromisoformat(when) < self._washout
        except (TypeError, ValueError):  # the file was edited: it was shown at an unknown time
            return True
