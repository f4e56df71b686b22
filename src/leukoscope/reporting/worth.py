"""What is known of what accuracies on some images are worth."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import pandas as pd

from leukoscope.audit import verdict
from leukoscope.core.commands import name_run

logger = logging.getLogger(__name__)


class Worth(NamedTuple):
    """What accuracies are worth, as far as that was measured.

    Attributes:
        ladder: Of the audit, one row a protocol and predictor.
        verdict: Of the audit, a sentence a line.
        baseline: What stain colour alone reaches on the same test images: ``accuracy, low, high, images, groups``.
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
        """Select what is of these images and splits, and not of others that were here before.

        Args:
            data: The facts of the images, as ``describe_data`` gives them.
            ladder: Of the last audit, if there was one.
            text: Its verdict.
            baseline: What stain colour alone reached last.
        """
        ours = verdict.is_of(data["fingerprint"], ladder, text)
        if not ours and ladder is not None:
            logger.warning("The audit is of other images than these, and left out: run `%s`", name_run("audit"))
        if baseline is not None and baseline["splits"] != data["splits_fingerprint"]:
            baseline = None
        return cls(ladder, text, baseline) if ours else cls(baseline=baseline)


UNKNOWN = Worth()
