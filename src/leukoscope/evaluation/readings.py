"""What readers said of which field, when, and whether they had seen the opinion: reviews as readings of a study.

Reviews are rows as the data set ``reviews`` gives them, the oldest first. A reading is what counts of them: who read a
field anew only after a washout has not seen it for so long, and reads it in another round.
"""

import logging
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from leukoscope.evaluation.inter_rater import MISSING, number_classes

logger = logging.getLogger(__name__)

BLIND = "blind"
REVISED = "revised"
UNBLINDED = "unblinded"
PHASES = (BLIND, REVISED, UNBLINDED)
_READER = ["reviewer", "sha256"]


def read_times(reviews: pd.DataFrame) -> pd.Series:
    """Read when reviews were made; what somebody made illegible is no time, and begins no round."""
    return pd.to_datetime(reviews["reviewed_at"], utc=True, format="ISO8601", errors="coerce")


def number_rounds(reviews: pd.DataFrame, washout_days: float) -> pd.Series:
    """Number the rounds in which each reader read each field, from 1.

    A round begins where the reader has not reviewed the field for ``washout_days``, under whatever model. What comes
    sooner, and what revises, belongs to the round before.

    Args:
        reviews: With ``reviewed_at``, ``phase``, ``reviewer`` and ``sha256``.
        washout_days: How long it takes to forget a field.
    """
    gaps = read_times(reviews).groupby([reviews[name] for name in _READER]).diff()
    begins = (gaps >= pd.Timedelta(days=washout_days)) & (reviews["phase"] != REVISED)
    return begins.groupby([reviews[name] for name in _READER]).cumsum().astype(int) + 1


def select_readings(reviews: pd.DataFrame, washout_days: float) -> pd.DataFrame:
    """Select what counts: of each field, model, reader, round and phase one review, of readers with a name.

    Of blind reviews it is the first of its round, and only if none of the round came before it: afterwards the reader
    has seen an opinion, be it another model's. Of others it is the last.

    Args:
        reviews: Of all models, since a reader remembers a field under whatever model.
        washout_days: As ``number_rounds`` takes it.

    Returns:
        The rows that count, with ``round``.
    """
    named = reviews[reviews["reviewer"] != ""]
    numbered = named.assign(round=number_rounds(named, washout_days))
    same = [*_READER, "round"]
    blind = numbered.drop_duplicates(same)
    blind = blind[blind["phase"] == BLIND]
    same.append("model_fingerprint")
    others = numbered[numbered["phase"] != BLIND].drop_duplicates([*same, "phase"], keep="last")
    revised = (others["phase"] == REVISED) & ~_is_among(others, blind, same)
    return pd.concat([blind, others[~revised]]).sort_index()


def _is_among(rows: pd.DataFrame, others: pd.DataFrame, names: list[str]) -> np.ndarray:
    return pd.MultiIndex.from_frame(rows[names]).isin(pd.MultiIndex.from_frame(others[names]))


def select_first(readings: pd.DataFrame, phase: str) -> pd.DataFrame:
    """Select of a phase each reader's reading of each field in the first round that has one."""
    chosen = readings[readings["phase"] == phase].sort_values("round", kind="stable")
    return chosen.drop_duplicates(_READER)


def arrange(readings: pd.DataFrame, readers: Sequence[str], fields: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Arrange readings as a table of class numbers; what was not read or not assessable is missing.

    Args:
        readings: One a reader and field.
        readers: The columns.
        fields: The rows, by their SHA-256.
        names: The classes.

    Returns:
        ``[fields, readers]``.
    """
    if readings.empty:
        return np.full((len(fields), len(readers)), MISSING)
    numbered = readings.assign(said=number_classes(readings["reviewer_class"], names))
    table = numbered.pivot(index="sha256", columns="reviewer", values="said")
    return table.reindex(index=list(fields), columns=list(readers)).fillna(MISSING).to_numpy(int)


class Known:
    """What is known of fields from elsewhere: their labels, and which of them are alike.

    Args:
        labels: By SHA-256.
        groups: By SHA-256, such as patients.
        drawn: The fields that were drawn.
    """

    def __init__(
        self, labels: Mapping[str, str], groups: Mapping[str, str], drawn: Collection[str] = frozenset()
    ) -> None:
        self._labels = labels
        self._groups = groups
        self._drawn = drawn

    @classmethod
    def gather(cls, manifest: pd.DataFrame | None, splits: pd.DataFrame | None) -> "Known":
        """Gather it from the images that were ingested, if there are any here.

        Args:
            manifest: With ``sha256``, ``image_id``, ``label``, ``group`` and, if it was recorded, ``drawn``. A file
                under two labels has none.
            splits: With ``image_id`` and the ``group`` that was never divided; it wins.
        """
        if manifest is None:
            return cls({}, {})
        divided = {} if splits is None else splits.set_index("image_id")["group"].to_dict()
        groups = manifest["image_id"].map(divided).fillna(manifest["group"])
        certain = manifest.groupby("sha256")["label"].nunique() == 1
        labels = manifest.drop_duplicates("sha256").set_index("sha256")["label"][certain]
        known = pd.Series(groups.to_numpy(), manifest["sha256"]).dropna()
        drawn = manifest.loc[manifest["drawn"].astype(bool), "sha256"] if "drawn" in manifest else ()
        return cls(labels.to_dict(), known[~known.index.duplicated()].astype(str).to_dict(), frozenset(drawn))

    def label(self, fields: Sequence[str], names: Sequence[str]) -> np.ndarray:
        """Give the numbers of labels, ``[fields]``; missing where there is none."""
        return number_classes([self._labels.get(field) for field in fields], names)

    def group(self, fields: Sequence[str]) -> np.ndarray:
        """Give the group of each field, ``[fields]``; one that is not known is a group by itself."""
        return np.array([self._groups.get(field, field) for field in fields], str)

    def count_drawn(self, fields: Sequence[str]) -> int:
        """Count the fields that are known to be drawn."""
        return sum(field in self._drawn for field in fields)

    def has_groups(self, fields: Sequence[str]) -> bool:
        """Say whether some fields are known to be alike."""
        return len(np.unique(self.group(fields))) < len(fields)
