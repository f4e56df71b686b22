"""Check whether a second reader is valid: it may come from a registry that others can write to."""

from typing import TYPE_CHECKING

import numpy as np

from leukoscope.images.circumstances import VERSION

if TYPE_CHECKING:
    from leukoscope.reader.second_reader import SecondReader


def find_fault(reader: "SecondReader") -> str | None:
    """Return why a reader is invalid, if it is."""
    calibration = reader.calibration
    numbers = (calibration.temperature, calibration.threshold, calibration.ood_limit)
    if calibration.model != reader.classifier.fingerprint:
        return f"its calibration is of another model, {calibration.model}"
    unknown = [name for name in reader.benign_classes if name not in reader.class_names]
    if unknown or not reader.benign_classes:
        return f"its benign class '{', '.join(unknown)}' is none of {', '.join(reader.class_names)}"
    if fault := reader.classifier.find_fault():
        return fault
    if reader.certificate not in (None, VERSION):
        return f"it asks again under changes of version {reader.certificate}, and those here are of {VERSION}"
    if not all(isinstance(number, int | float) and np.isfinite(number) for number in numbers) or numbers[0] <= 0:
        return f"its temperature, threshold and limit of the out-of-distribution score are {numbers}"
    return None
