"""The ladder of protocols: the same predictors, judged ever more strictly."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.errors import InputError
from leukoscope.models.intervals import estimate_share

logger = logging.getLogger(__name__)

PROTOCOLS = {
    "image": "image by image, duplicates on both sides",
    "duplicate": "duplicates held out together",
    "look": "looks (clusters of colours) held out together",
    "table": "groups of the user's table held out together",
}


@dataclass(frozen=True)
class Ladder:
    """How the audit judges.

    Attributes:
        folds: Of the cross-validation.
        trees: Of the random forest that reads what cannot see cells.
        resamples: Draws of the bootstrap.
        confidence: Of the intervals.
        seed: For folds, trees and draws.
    """

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
            One row a protocol and predictor: ``protocol, predictor, accuracy, low, high, images, groups``.

        Raises:
            InputError: A class has too few groups for as many folds.
        """
        rows = []
        for protocol, groups in protocols.items():
            folds = self._divide(images["label"], groups, protocol)
            for name, features in predictors.items():
                hits = self._predict(name, features, images["label"].to_numpy(), folds) == images["label"]
                found = estimate_share(hits.to_numpy(), groups, self.resamples, self.confidence, self.seed)
                facts = {"protocol": protocol, "predictor": name, "accuracy": found.value}
                rows.append(facts | {"low": found.low, "high": found.high})
                logger.info("%s, %s: accuracy %.3f", protocol, name, found.value)
            sizes = {"images": len(images), "groups": groups.nunique()}
            rows[-len(predictors) :] = [row | sizes for row in rows[-len(predictors) :]]
        return pd.DataFrame(rows)

    def _divide(self, labels: pd.Series, groups: pd.Series, protocol: str) -> list[tuple[np.ndarray, np.ndarray]]:
        from sklearn.model_selection import StratifiedGroupKFold

        fewest = groups.groupby(labels.to_numpy()).nunique()
        if fewest.min() < self.folds:
            raise InputError(
                f"The audit cannot hold out groups of the protocol '{protocol}': class {fewest.idxmin()} has "
                f"{fewest.min()} of them, too few for {self.folds} folds. Choose a smaller audit.folds."
            )
        divider = StratifiedGroupKFold(self.folds, shuffle=True, random_state=self.seed)
        return list(divider.split(groups, labels, groups))

    def _predict(self, name: str, features: np.ndarray, labels: np.ndarray, folds: list[Any]) -> np.ndarray:
        from sklearn.model_selection import cross_val_predict

        return cross_val_predict(self._make_model(name), features, labels, cv=folds)

    def _make_model(self, name: str) -> Any:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if name.endswith("features"):
            return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        return RandomForestClassifier(self.trees, n_jobs=-1, random_state=self.seed)
