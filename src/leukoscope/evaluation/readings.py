"""Turn reviews into readings of a study: who read which field, when, and whether they had seen the opinion.

Reviews are rows of the data set ``reviews``, oldest first. Readings are the reviews that count: reading a field again
after a washout period counts as unseen, in another round.
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
    """Parse the review times; illegible ones become missing, and begin no round."""
    return pd.to_datetime(reviews["reviewed_at"], utc=True, format="ISO8601", errors="coerce")


def number_rounds(reviews: pd.DataFrame, washout_days: float) -> pd.Series:
    """Number the rounds in which each reader read each field, starting at 1.

    A round begins if the reader has not reviewed the field for ``washout_days``, under any model. Reviews that come
    sooner, and revisions, belong to the previous round.

    Args:
        reviews: Reviews with ``reviewed_at``, ``phase``, ``reviewer`` and ``sha256``.
        washout_days: Days after which a reader is taken to have forgotten a field.
    """
    gaps = read_times(reviews).groupby([reviews[name] for name in _READER]).diff()
    begins = (gaps >= pd.Timedelta(days=washout_days)) & (reviews["phase"] != REVISED)
    return begins.groupby([reviews[name] for name in _READER]).cumsum().astype(int) + 1


def select_readings(reviews: pd.DataFrame, washout_days: float) -> pd.DataFrame:
    """Select the reviews that count: one per field, model, named reader, round and phase.

    Of blind reviews, the first of its round counts, and only if no other review precedes it in the round: afterwards
    the reader has seen an opinion, possibly another model's. Of others, the last counts.

    Args:
        reviews: Reviews of all models, since a reader remembers a field whichever model it was read under.
        washout_days: As in ``number_rounds``.

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
    """Select each reader's reading of each field in a phase, from the first round that has one."""
    chosen = readings[readings["phase"] == phase].sort_values("round", kind="stable")
    return chosen.drop_duplicates(_READER)


def arrange(readings: pd.DataFrame, readers: Sequence[str], fields: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Arrange readings as a table of class numbers; unread and not assessable fields are missing.

    Args:
        readings: One reading per reader and field.
        readers: The readers, in column order.
        fields: SHA-256 of the fields, in row order.
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
    """External knowledge about fields: their labels, and which of them are similar.

    Args:
        labels: Labels by SHA-256.
        groups: Groups, such as patients, by SHA-256.
        drawn: Fields that are drawn images.
    """

    def __init__(
        self, labels: Mapping[str, str], groups: Mapping[str, str], drawn: Collection[str] = frozenset()
    ) -> None:
        self._labels = labels
        self._groups = groups
        self._drawn = drawn

    @classmethod
    def gather(cls, manifest: pd.DataFrame | None, splits: pd.DataFrame | None) -> "Known":
        """Collect labels and groups from the ingested images, if there are any.

        Args:
            manifest: A table with ``sha256``, ``image_id``, ``label``, ``group`` and, if recorded, ``drawn``. A file
                under two labels gets none.
            splits: A table with ``image_id`` and the ``group`` that was never divided, which takes precedence.
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
        """Return the label number of each field, ``[fields]``; missing if it has none."""
        return number_classes([self._labels.get(field) for field in fields], names)

    def group(self, fields: Sequence[str]) -> np.ndarray:
        """Return the group of each field, ``[fields]``; an unknown field is its own group."""
        return np.array([self._groups.get(field, field) for field in fields], str)

    def count_drawn(self, fields: Sequence[str]) -> int:
        """Count the fields that are known to be drawn."""
        return sum(field in self._drawn for field in fields)

    def has_groups(self, fields: Sequence[str]) -> bool:
        """Check whether some fields are known to be similar."""
        return len(np.unique(self.group(fields))) < len(fields)
