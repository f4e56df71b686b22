"""Compute the metrics of the table that apply to some predictions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from leukoscope.core.options import plain_name
from leukoscope.evaluation.intervals import Estimate, estimate_figures, estimate_share
from leukoscope.evaluation.metric import Combined, Count, Hits, Number, Share, list_names
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.outcome import Draw, Outcome, Screening

ENDS = ("_low", "_high")
Kind = TypeVar("Kind", Share, Number, Combined, Count)


class Scoring(NamedTuple):
    """The settings for scoring predictions.

    Attributes:
        class_names: The classes in the order of the probabilities.
        benign: The classes that the screening view treats as benign.
        prevalence: The share of malignant fields for which predictive values are computed.
    """

    class_names: Sequence[str]
    benign: Sequence[str]
    prevalence: float

    def score(
        self,
        labels: np.ndarray,
        probabilities: np.ndarray,
        predicted: np.ndarray | None = None,
        screening: Screening | None = None,
    ) -> dict[str, float | None]:
        """Score the predictions of one split.

        Args:
            labels: The true class names, ``[n]``.
            probabilities: ``[n, classes]``.
            predicted: The number of each image's predicted class, ``[n]``; by default its likeliest.
            screening: The screening view, benign against malignant; without it there are no screening metrics.

        Returns:
            Every metric by its plain name, without the split's; ``None`` if undefined, such as an AUC without images of
            the class.
        """
        return without_nan(score(self.prepare(labels, probabilities, predicted, screening)))

    def prepare(
        self,
        labels: np.ndarray,
        probabilities: np.ndarray,
        predicted: np.ndarray | None = None,
        screening: Screening | None = None,
    ) -> Outcome:
        """Prepare the outcome that metrics are computed from; the arguments are those of ``score``."""
        return Outcome(
            truth=pd.Index(self.class_names).get_indexer(labels),
            predicted=probabilities.argmax(axis=1) if predicted is None else predicted,
            probabilities=probabilities,
            class_names=[plain_name(name) for name in self.class_names],
            malignant=self.is_malignant(labels),
            prevalence=self.prevalence,
            screening=screening,
        )

    def is_malignant(self, labels: np.ndarray) -> np.ndarray:
        """Return which images are of a malignant class (any but the benign ones), boolean ``[n]``."""
        return ~np.isin(np.asarray(labels, dtype=str), list(self.benign))


def score(outcome: Outcome) -> dict[str, float]:
    """Compute every metric that applies to an outcome, by its plain name; NaN if undefined."""
    shares = {name: _share(hits) for name, hits in list_shares(outcome).items()}
    figures = count(outcome) | shares | score_draw(outcome, np.ones(len(outcome)))
    return figures | combine(outcome, figures)


def estimate(outcome: Outcome, resamples: int, confidence: float, seed: int) -> dict[str, float]:
    """Compute every metric that applies to an outcome, with the ends of its interval by groups.

    Args:
        outcome: An outcome with groups.
        resamples: Number of bootstrap draws of groups, for metrics that are not a share of images.
        confidence: Confidence level of the intervals.
        seed: Seed of the draws.

    Returns:
        ``<metric>``, ``<metric>_low`` and ``<metric>_high``; NaN if undefined.
    """
    groups = np.asarray(outcome.groups)
    estimates: dict[str, Estimate] = {
        name: estimate_share(hits.holds[hits.among], groups[hits.among], confidence)
        for name, hits in list_shares(outcome).items()
    }
    inflated = [name for name, number in _select(outcome, Number).items() if number.inflated]
    estimates |= estimate_figures(
        lambda weights: score_draw(outcome, weights), groups, resamples, confidence, seed, inflated
    )
    figures = count(outcome)
    for name, estimated in estimates.items():
        figures |= estimated.tabulate(name)
    for end in ("", *ENDS):
        figures |= combine(outcome, figures, end)
    return figures


def list_shares(outcome: Outcome) -> dict[str, Hits]:
    """List the metrics that are a share of images, by their plain names."""
    shares: dict[str, Hits] = {}
    for name, share in _select(outcome, Share).items():
        selected = share.select(outcome)
        by_class = selected if isinstance(selected, list) else [selected]
        shares |= zip(list_names(name, outcome.class_names), by_class, strict=True)
    return shares


def score_draw(outcome: Outcome, weights: np.ndarray) -> dict[str, float]:
    """Compute the metrics that vary with the draw, by their plain names; NaN if undefined.

    Args:
        outcome: The outcome of predicting the images.
        weights: How often each image was drawn, ``[n]``.
    """
    draw = Draw(outcome, weights)
    figures: dict[str, float] = {}
    for name, number in _select(outcome, Number).items():
        figures |= _spread(name, number.measure(draw), outcome)
    return figures


def count(outcome: Outcome) -> dict[str, float]:
    """Compute the metrics that are counted or simulated once, by their plain names."""
    figures: dict[str, float] = {}
    for name, counted in _select(outcome, Count).items():
        figures |= _spread(name, counted.count(outcome), outcome)
    return figures


def combine(outcome: Outcome, figures: Mapping[str, float], end: str = "") -> dict[str, float]:
    """Compute the metrics that are combinations of others, by their plain names.

    Args:
        outcome: The outcome of predicting the images.
        figures: The other metrics.
        end: Suffix of the names of both, such as ``_low``.
    """
    combined = {}
    for name, rule in _select(outcome, Combined).items():
        first, second = (figures[f"{other}{end}"] for other in rule.of)
        combined[f"{name}{end}"] = rule.combine(first, second, outcome.prevalence)
    return combined


def without_nan(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Replace NaN by ``None``, which JSON can hold."""
    return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}


def _select(outcome: Outcome, kind: type[Kind]) -> dict[str, Kind]:
    """Select the measures of one kind, for the metrics that apply to an outcome."""
    rows = METRICS.items()
    return {name: row.measure for name, row in rows if isinstance(row.measure, kind) and row.applies(outcome)}


def _spread(name: str, value: float | np.ndarray, outcome: Outcome) -> dict[str, float]:
    """Name a metric's values: one per class, or a single one."""
    names = list_names(name, outcome.class_names)
    return {figure_name: float(figure) for figure_name, figure in zip(names, np.atleast_1d(value), strict=True)}


def _share(hits: Hits) -> float:
    """Compute the share of images for which the condition holds; NaN if there are none."""
    holds = hits.holds[hits.among]
    return float(holds.mean()) if len(holds) else np.nan
