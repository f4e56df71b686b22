"""Checkpoints: variables in one file of plain arrays.

Keras' own weights file names each variable by its position in the model, which takes longer than writing: for
MobileNetV2, three quarters of the time. Readers here have built the same model by the same code, so order is enough.
"""

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np


def save_variables(path: Path, variables: Iterable[keras.Variable]) -> None:
    """Write the values of variables, uncompressed, in their order."""
    values = (keras.ops.convert_to_numpy(variable) for variable in variables)
    with path.open("wb") as file:
        np.savez(file, **{f"{number:05}": value for number, value in enumerate(values)})


def load_variables(path: Path, variables: Iterable[keras.Variable]) -> None:
    """Restore variables from a file that ``save_variables`` wrote.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not such a file, or its values belong to other variables.
        BadZipFile: It is damaged.
    """
    variables = list(variables)
    with np.load(path, allow_pickle=False) as file:
        values = [file[name] for name in sorted(file.files)]
    if [array.shape for array in values] != [tuple(array.shape) for array in variables]:
        raise ValueError(f"it has other values than the {len(variables)} variables that are there")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
