"""What a classifier says of fields in the end: calibrated, and withheld where a field is unlike its training images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukoscope.models import trust
from leukoscope.models.novelty import Novelty


def form_opinions(
    probabilities: np.ndarray, novelty: Novelty, calibration: trust.Calibration, class_names: Sequence[str]
) -> pd.DataFrame:
    """Give what a classifier says of each image in the end, or why it says nothing.

    Args:
        probabilities: As the classifier gives them, ``[n, classes]``.
        novelty: Of the same images, as ``KnownImages`` measures it.
        calibration: Learned from validation images.
        class_names: The classes in the order of the probabilities.

    Returns:
        As ``trust.form_opinions`` has it; the reason of an image that is unlike the training images says in what.
    """
    calibrated = trust.apply_temperature(probabilities, calibration.temperature)
    opinions = trust.form_opinions(calibrated, novelty.score, calibration, class_names)
    because = [f"{trust.UNLIKE}: {why}" for why in novelty.why]
    return opinions.assign(reason=opinions["reason"].mask(opinions["reason"] == trust.UNLIKE, because))
