"""Compare treatments when several readers read the same fields under each: for example with and without an opinion.

The analysis of variance of Obuchowski and Rockette (1995, Hypothesis testing of diagnostic accuracy for multiple
readers and multiple tests), with the degrees of freedom of Hillis (2007, A comparison of denominator degrees of freedom
for multiple observer ROC analysis). The formulas are those printed by the program OR-DBM MRMC 2.51.
"""

from typing import NamedTuple

import numpy as np

from leukoscope.evaluation.intervals import Estimate

_NOTHING = 1e-15  # below this a variance is only rounding error


class Components(NamedTuple):
    """The covariances of figures of merit on the same fields, averaged over pairs.

    Attributes:
        error: Variance of a figure over fields.
        cov1: Covariance of the same reader's figures under different treatments.
        cov2: Covariance of different readers' figures under the same treatment; 0 with one reader.
        cov3: Covariance of different readers' figures under different treatments; 0 with one reader.
    """

    error: float
    cov1: float
    cov2: float
    cov3: float


class Comparison(NamedTuple):
    """A test of whether all treatments have the same figure of merit, and the difference of two.

    Attributes:
        statistic: F, or chi-squared with fixed readers.
        df1: Numerator degrees of freedom.
        df2: Denominator degrees of freedom; infinite with fixed readers, or if all differ by the same amount.
        p: P-value of the test; NaN if nothing varies.
        difference: Second treatment minus the first, with its interval.
    """

    statistic: float
    df1: int
    df2: float
    p: float
    difference: Estimate


def average_covariances(covariances: np.ndarray) -> Components:
    """Average covariances over pairs of the same kind.

    Args:
        covariances: ``[treatments, readers, treatments, readers]``.
    """
    treatments, readers = covariances.shape[:2]
    same_treatment = np.eye(treatments, dtype=bool)[:, None, :, None]
    same_reader = np.eye(readers, dtype=bool)[None, :, None, :]

    def average(chosen: np.ndarray) -> float:
        values = covariances[np.broadcast_to(chosen, covariances.shape)]
        return float(values.mean()) if len(values) else 0.0

    return Components(
        average(same_treatment & same_reader),
        average(~same_treatment & same_reader),
        average(same_treatment & ~same_reader),
        average(~same_treatment & ~same_reader),
    )


def compare_for_all_readers(figures: np.ndarray, components: Components, confidence: float) -> Comparison:
    """Compare treatments for readers and fields like these: both are random.

    Args:
        figures: ``[treatments, readers]``, at least two of each.
        components: Covariance components of the figures.
        confidence: Confidence level of the interval.
    """
    from scipy.stats import chi2, f, t

    treatments, readers = figures.shape
    numerator, interaction = _sum_up(figures)
    # The error term of the F test: treatment-by-reader interaction, and the covariance that shared fields cause.
    denominator = interaction + readers * max(components.cov2 - components.cov3, 0.0)
    df1 = treatments - 1
    degrees = df1 * (readers - 1)
    # Hillis 2007: only the interaction is estimated from few degrees of freedom.
    df2 = denominator**2 * degrees / interaction**2 if interaction > _NOTHING else np.inf
    if not denominator > _NOTHING:
        return Comparison(np.nan, df1, np.nan, np.nan, _differ(figures, np.nan))
    statistic = numerator / denominator
    spread = t.ppf((1 + confidence) / 2, df2) * np.sqrt(2 / readers * denominator)
    # SciPy's F has no infinite degrees of freedom; the limit is chi-squared.
    p = f.sf(statistic, df1, df2) if np.isfinite(df2) else chi2.sf(df1 * statistic, df1)
    return Comparison(statistic, df1, df2, float(p), _differ(figures, spread))


def compare_for_these_readers(figures: np.ndarray, components: Components, confidence: float) -> Comparison:
    """Compare treatments for these readers only, on fields like these: readers are fixed, fields are random.

    Args:
        figures: ``[treatments, readers]``, one reader or more.
        components: Covariance components of the figures.
        confidence: Confidence level of the interval.
    """
    from scipy.stats import chi2, norm

    treatments, readers = figures.shape
    between = max(components.cov2 - components.cov3, 0.0)
    denominator = components.error - components.cov1 + (readers - 1) * between
    df1 = treatments - 1
    if not denominator > _NOTHING:
        return Comparison(np.nan, df1, np.inf, np.nan, _differ(figures, np.nan))
    statistic = df1 * _sum_up(figures)[0] / denominator
    spread = norm.ppf((1 + confidence) / 2) * np.sqrt(2 / readers * denominator)
    return Comparison(statistic, df1, np.inf, float(chi2.sf(statistic, df1)), _differ(figures, spread))


def estimate_treatment(figures: np.ndarray, covariances: np.ndarray, confidence: float) -> Estimate:
    """Estimate the mean figure of one treatment from its data alone, for readers and fields like these.

    Args:
        figures: ``[readers]``, two or more.
        covariances: ``[readers, readers]``.
        confidence: Confidence level of the interval, which is clipped to 0 and 1.
    """
    from scipy.stats import t

    readers = len(figures)
    mean = float(figures.mean())
    between = float(figures.var(ddof=1)) if readers > 1 else np.nan
    # With one treatment no other covariance remains: add a first axis of length one.
    cov2 = max(average_covariances(covariances[None, :, None, :]).cov2, 0.0)
    total = between + readers * cov2
    if not total > _NOTHING:
        return Estimate(mean, np.nan, np.nan)
    degrees = total**2 * (readers - 1) / between**2 if between > _NOTHING else np.inf
    spread = t.ppf((1 + confidence) / 2, degrees) * np.sqrt(total / readers)
    return Estimate(mean, max(mean - spread, 0.0), min(mean + spread, 1.0))


def _sum_up(figures: np.ndarray) -> tuple[float, float]:
    """Compute the mean squares of treatments, and of treatment by reader (NaN with one reader)."""
    treatments, readers = figures.shape
    by_treatment = figures.mean(axis=1, keepdims=True)
    by_reader = figures.mean(axis=0, keepdims=True)
    mean = figures.mean()
    between = readers * ((by_treatment - mean) ** 2).sum() / (treatments - 1)
    # The residual after treatment and reader: with one figure per cell this is their interaction.
    left = ((figures - by_treatment - by_reader + mean) ** 2).sum()
    degrees = (treatments - 1) * (readers - 1)
    return float(between), float(left / degrees) if degrees else np.nan


def _differ(figures: np.ndarray, spread: float) -> Estimate:
    difference = float(figures[1].mean() - figures[0].mean())
    return Estimate(difference, difference - spread, difference + spread)
