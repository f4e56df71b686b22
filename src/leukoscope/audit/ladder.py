"""The ladder of protocols: the same predictors, judged ever more strictly."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.models.intervals import estimate_share

logger = logging.getLogger(__name__)

PROTOCOLS = {
    "image": "image by image, duplicates on both sides",
    "duplicate": "duplicates held out together",
    "look": "looks (clusters of colours) held out together",
    "table": "groups of the user's table held out together",
}

_COLUMNS = ["protocol", "predictor", "accuracy", "low", "high", "images", "groups"]


@dataclass(frozen=True)
class Ladder:
    """How the audit judges.

    Attributes:
        classes: All that are to be told apart.
        folds: Of the cross-validation.
        trees: Of the random forest that reads what cannot see cells.
        resamples: Draws of the bootstrap.
        confidence: Of the intervals.
        seed: For folds, trees and draws.
    """

    classes: tuple[str, ...]
    folds: int
    trees: int
    resamples: int
    confidence: float
    seed: int

    def climb(
        self, images: pd.DataFrame, predictors: Mapping[str, np.ndarray], protocols: Mapping[str, pd.Series]
    ) -> pd.DataFrame:
        """Judge predictors by cross-validation under each protocol.

        Args:
            images: ``label``, one row an image.
            predictors: What each predictor sees, ``[images, features]``: a random forest learns from it, or logistic
                regression where its name ends in ``features``.
            protocols: The group of each image, which is never divided.

        Returns:
            One row a protocol and predictor: ``protocol, predictor, accuracy, low, high, images, groups``. A protocol
            under which a class has fewer groups than folds, or no image, is left out, with a warning.
        """
        rows = []
        for protocol, groups in protocols.items():
            what = f"{protocol}, {', '.join(predictors)}"
            folds = self._divide(images["label"], groups, what)
            if folds:
                pass
            for name, features in predictors.items() if folds else ():
                hits = self._predict(name, features, images["label"].to_numpy(), folds) == images["label"]
                found = estimate_share(hits.to_numpy(), groups, self.confidence)
                facts = {"protocol": protocol, "predictor": name, "accuracy": found.value}
                facts |= {"low": found.low, "high": found.high, "images": len(images), "groups": groups.nunique()}
                rows.append(facts)
                logger.info("%s, %s: accuracy %.3f", protocol, name, found.value)
        return pd.DataFrame(rows, columns=_COLUMNS)

    def _divide(self, labels: pd.Series, groups: pd.Series, what: str) -> list[tuple[np.ndarray, np.ndarray]]:
        from sklearn.model_selection import StratifiedGroupKFold

        fewest = int(groups.groupby(labels.to_numpy()).nunique().reindex(list(self.classes), fill_value=0).min())
        if fewest < self.folds or len(self.classes) < 2:
            logger.warning("%s: not judged, a class has %d groups, too few for %d folds", what, fewest, self.folds)
            return []
        divider = StratifiedGroupKFold(self.folds, shuffle=True, random_state=self.seed)
        return list(divider.split(groups, labels, groups))

    def _predict(self, name: str, features: np.ndarray, labels: np.ndarray, folds: list[Any]) -> np.ndarray:
        from sklearn.model_selection import cross_val_predict

        return cross_val_predict(self._make_model(name), features, labels, cv=folds)

    def _make_model(self, name: str) -> Any:
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if name.endswith("features"):
            # Turned onto as many axes as there are images, features give the same answer in a fraction of the time.
            # C is below scikit-learn's 1, for hundreds of features of few images, and the same whatever these are.
            return make_pipeline(StandardScaler(), PCA(), LogisticRegression(C=0.1, max_iter=500))
        return make_forest(self.trees, self.seed)


def make_forest(trees: int, seed: int) -> Any:
    """Make the random forest that reads what cannot see cells."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, n_jobs=-1, random_state=seed)
