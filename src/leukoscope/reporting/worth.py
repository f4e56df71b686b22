"""Reference results for judging the accuracies on some images."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import pandas as pd

from leukoscope.audit import verdict
from leukoscope.core.commands import name_run

logger = logging.getLogger(__name__)


class Worth(NamedTuple):
    """Reference results for judging accuracies, if they were measured.

    Attributes:
        ladder: The audit's table, one row per protocol and predictor.
        verdict: The audit's verdict, one sentence per line.
        baseline: Results of stain colour alone on the same test images: ``accuracy, low, high, images, groups``.
    """

    ladder: pd.DataFrame | None = None
    verdict: str | None = None
    baseline: Mapping[str, Any] | None = None

    @classmethod
    def select(
        cls,
        data: Mapping[str, Any],
        ladder: pd.DataFrame | None,
        text: str | None,
        baseline: Mapping[str, Any] | None,
    ) -> Self:
        """Keep only what belongs to these images and splits, not to earlier ones.

        Args:
            data: Facts about the images, from ``describe_data``.
            ladder: Table of the last audit, if there was one.
            text: Verdict of the last audit.
            baseline: Last results of stain colour alone.
        """
        ours = verdict.is_of(data["fingerprint"], ladder, text)
        if not ours and ladder is not None:
            logger.warning("The audit is of other images than these, and left out: run `%s`", name_run("audit"))
        if baseline is not None and baseline["splits"] != data["splits_fingerprint"]:
            baseline = None
        return cls(ladder, text, baseline) if ours else cls(baseline=baseline)


UNKNOWN = Worth()
