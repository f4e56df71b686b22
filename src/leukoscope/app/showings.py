"""To whom the opinion on which field was shown: whoever has seen it does not read the field blind afterwards."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
from kedro.io import DatasetError

from leukoscope.app.options import AppOptions
from leukoscope.core.errors import InputError

logger = logging.getLogger(__name__)


class Showings:
    """What was shown, and when.

    A showing is of a reader or, where nobody had entered a name, of a browser: it counts for whoever reads there.

    Args:
        known: What was shown before: ``shown_at, sha256, reviewer, browser``.
        keep: Keeps more of these rows, if they are to be kept.
        washout_days: After so many a reader has forgotten the field.
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
        """Remember that an opinion is shown now, also on the disk; where that cannot be, the log says so."""
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
        """Give when the opinion on a field was last shown to a reader: UTC, ISO 8601; ``None`` if it was not."""
        times = (self._times.get((sha256, *who)) for who in ((reviewer, ""), ("", browser)))
        recent = [when for when in times if when is not None and self._is_recent(when)]
        return max(recent, default=None)

    def _is_recent(self, when: str | None) -> bool:
        if when is None:
            return False
        try:
            return datetime.now(UTC) - datetime.fromisoformat(when) < self._washout
        except (TypeError, ValueError):  # somebody changed the file: it was shown, and nobody knows when
            return True
