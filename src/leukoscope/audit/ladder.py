"""The ladder of protocols: the same predictors, judged increasingly strictly."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.audit.blocks import Fold, name_blocks, repeat_folds
from leukoscope.core.counts import count_of
from leukoscope.evaluation.intervals import estimate_share
from leukoscope.images.series import explain_lack, is_numbered, number_files

logger = logging.getLogger(__name__)

# Blocks of file numbers with an embargo; and the same blocks with as many training images, but without an embargo.
SERIES = "series"
CONTROL = "series_control"
# Predictors that see one number per image.
_NUMBERS = ("hue_band",)

_COLUMNS = [
    "protocol",
    "embargo",
    "predictor",
    "accuracy",
    "low",
    "high",
    "balanced_accuracy",
    "spread",
    "images",
    "training_images",
    "groups",
]


@dataclass(frozen=True)
class Ladder:
    """The settings by which the audit judges.

    Attributes:
        classes: All classes to distinguish.
        folds: Number of folds of the cross-validation.
        trees: Number of trees in the forest that learns from cell-blind features.
        confidence: The confidence of the intervals.
        seed: Random seed for folds and trees.
        repeats: Number of repeats of the cross-validation, each with other folds.
    """

    classes: tuple[str, ...]
    folds: int
    trees: int
    confidence: float
    seed: int
    repeats: int = 1
    _known: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    def climb(
        self, images: pd.DataFrame, predictors: Mapping[str, np.ndarray], protocols: Mapping[str, pd.Series]
    ) -> pd.DataFrame:
        """Judge predictors by repeated cross-validation under each protocol.

        Args:
            images: ``label``, one row per image.
            predictors: The features of each predictor, ``[images, features]``: learned by extremely randomised trees
                (Geurts et al. 2006), by one small tree for ``hue_band``, or by logistic regression if the name ends in
                ``features``.
            protocols: The group of each image, which is never divided.

        Returns:
            One row per protocol and predictor: ``protocol``, ``embargo`` (null), ``predictor``, ``accuracy`` (mean over
            the repeats) with the interval ``low`` to ``high``, ``balanced_accuracy`` (mean over the classes of the
            share that is right), ``spread`` (from the lowest accuracy of a repeat to the highest; null for one repeat),
            ``images``, ``training_images`` (mean of the folds) and ``groups``. Protocols under which a class has fewer
            groups than folds, or no image, are skipped with a warning.
        """
        rows = []
        for protocol, groups in protocols.items():
            what = f"{protocol}, {', '.join(predictors)}"
            if repeats := self._divide(images["label"], groups, what):
                rows += self._judge({"protocol": protocol}, images["label"], groups, predictors, repeats)
        return _tabulate(rows)

    def climb_series(
        self, images: pd.DataFrame, predictors: Mapping[str, np.ndarray], embargoes: Sequence[int]
    ) -> pd.DataFrame:
        """Judge predictors on contiguous blocks of file numbers whose neighbours are not trained on.

        Intervals resample the blocks of each class: within a block, images are alike beyond the reach of any embargo.

        Args:
            images: ``image_id``, ``label`` and the ``group`` of duplicates, one row per image.
            predictors: As in ``climb``.
            embargoes: How many file numbers on each side of a test block are not trained on.

        Returns:
            A table as in ``climb``: for each embargo, rows of the protocol ``series``, and for embargoes above 0 also
            rows of ``series_control``, with the same test blocks and as many training images of each class from
            anywhere outside of them. Images without a number in their names are skipped, and so is anything that
            cannot be judged, with a warning.
        """
        files = number_files(images)
        if lack := explain_lack(files, self.folds):
            logger.warning("%s: not judged, since %s", SERIES, lack)
            return _tabulate([])
        numbered = np.flatnonzero(is_numbered(files))
        images, files = (table.iloc[numbered].reset_index(drop=True) for table in (images, files))
        blocks = name_blocks(files, self.folds)
        numbered_features = {name: features[numbered] for name, features in predictors.items()}
        rows = []
        for embargo in embargoes:
            divided = repeat_folds(images, files, self.folds, self.repeats, embargo, self.seed)
            if divided is None:
                logger.warning("%s, embargo %d: not judged, a class would not be in every fold", SERIES, embargo)
                continue
            strict, control = divided
            for protocol, repeats in ({SERIES: strict} | ({CONTROL: control} if embargo else {})).items():
                facts = {"protocol": protocol, "embargo": embargo}
                rows += self._judge(facts, images["label"], blocks, numbered_features, repeats)
        return _tabulate(rows)

    def _divide(self, labels: pd.Series, groups: pd.Series, what: str) -> list[list[Fold]]:
        from sklearn.model_selection import StratifiedGroupKFold

        fewest = int(groups.groupby(labels.to_numpy()).nunique().reindex(list(self.classes), fill_value=0).min())
        if fewest < self.folds or len(self.classes) < 2:
            logger.warning(
                "%s: not judged, a class has %s, too few for %d folds", what, count_of(fewest, "group"), self.folds
            )
            return []
        dividers = [
            StratifiedGroupKFold(self.folds, shuffle=True, random_state=self.seed + repeat)
            for repeat in range(self.repeats)
        ]
        return [list(divider.split(groups, labels, groups)) for divider in dividers]

    def _judge(
        self,
        facts: Mapping[str, Any],
        labels: pd.Series,
        groups: pd.Series,
        predictors: Mapping[str, np.ndarray],
        repeats: Sequence[Sequence[Fold]],
    ) -> list[dict[str, Any]]:
        training = np.mean([len(train) for folds in repeats for train, _ in folds])
        sizes = {"images": len(labels), "training_images": round(float(training)), "groups": groups.nunique()}
        rows = []
        for name, features in predictors.items():
            hits = np.array([self._predict(name, features, labels.to_numpy(), folds) == labels for folds in repeats])
            # The share of repeats in which an image was right, since the interval is over images, not repeats.
            shares = hits.mean(axis=0)
            accuracy = estimate_share(shares, groups, self.confidence)
            figures = {
                "balanced_accuracy": pd.Series(shares).groupby(labels.to_numpy()).mean().mean(),
                "spread": np.ptp(hits.mean(axis=1)) if len(hits) > 1 else np.nan,
            }
            ends = {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
            rows.append({**facts, "predictor": name, **ends, **figures, **sizes})
            logger.info("%s, %s: accuracy %.3f", ", ".join(map(str, facts.values())), name, accuracy.value)
        return rows

    def _predict(self, name: str, features: np.ndarray, labels: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
        """Predict each image out of fold, only once if several protocols have the same folds."""
        import joblib
        from sklearn.model_selection import cross_val_predict

        asked = joblib.hash((name, features, labels, folds))
        if asked not in self._known:  # without duplicates, the protocols image and duplicate have the same folds
            self._known[asked] = cross_val_predict(self._make_model(name), features, labels, cv=folds)
        return self._known[asked]

    def _make_model(self, name: str) -> Any:
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.tree import DecisionTreeClassifier

        if name.endswith("features"):
            # Rotated onto as many axes as there are images, features give the same result in a fraction of the time.
            # C is below scikit-learn's 1, for hundreds of features of few images, and the same for all predictors.
            return make_pipeline(StandardScaler(), PCA(), LogisticRegression(C=0.1, max_iter=500))
        if name in _NUMBERS:  # a forest would memorise the number of each training image
            return DecisionTreeClassifier(max_depth=3, random_state=self.seed)
        return make_forest(self.trees, self.seed)


def _tabulate(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"embargo": "Int64"})


def make_forest(trees: int, seed: int) -> Any:
    """Create the forest that learns from cell-blind features; docs/adr/0019-series-with-an-embargo.md explains why."""
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(trees, n_jobs=-1, random_state=seed)
