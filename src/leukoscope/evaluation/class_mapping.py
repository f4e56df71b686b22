"""Map the folders of an external data set to the classes that a classifier knows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from leukoscope.core.class_names import MALIGNANT

_BENIGN = "benign"


class ClassMapping(NamedTuple):
    """Which class each folder holds: all of the classifier's classes, or only benign and malignant.

    Attributes:
        by_folder: The class of each folder.
        class_names: The classes that are distinguished.
        parts: For each of these, the indices of the classifier's classes that make it up.
        benign: The distinguished classes that are not malignant.
    """

    by_folder: dict[str, str]
    class_names: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]
    benign: tuple[str, ...]

    @classmethod
    def resolve(
        cls,
        class_map: Mapping[str, str] | None,
        class_names: Sequence[str],
        benign: Sequence[str],
        two_classes: bool = False,
    ) -> Self:
        """Build the mapping from a user's table of folders.

        Args:
            class_map: The class of each folder: one that the classifier knows, or ``malignant``; with ``malignant``,
                only benign and malignant are distinguished. ``None``: folders have the names of the classes.
            class_names: The classes that the classifier knows, in order.
            benign: The classes that are not malignant; several that are not distinguished are called benign.
            two_classes: Whether to distinguish only benign and malignant even if no folder holds ``malignant``.

        Raises:
            ValueError: A folder is mapped to an unknown class.
        """
        mapping = dict(class_map or {name: name for name in class_names})
        for folder, name in mapping.items():
            if name not in (*class_names, MALIGNANT):
                known = ", ".join((*class_names, MALIGNANT))
                raise ValueError(f"external.class_map says that {folder} holds '{name}'; it can hold {known}")
        if MALIGNANT in class_names or not (two_classes or MALIGNANT in mapping.values()):
            return cls(
                mapping, tuple(class_names), tuple((number,) for number in range(len(class_names))), tuple(benign)
            )
        healthy = benign[0] if len(benign) == 1 else _BENIGN
        by_folder = {folder: healthy if name in benign else MALIGNANT for folder, name in mapping.items()}
        parts = (
            tuple(class_names.index(name) for name in benign),
            tuple(number for number, name in enumerate(class_names) if name not in benign),
        )
        return cls(by_folder, (healthy, MALIGNANT), parts, (healthy,))

    def collapse(self, probabilities: np.ndarray) -> np.ndarray:
        """Sum the probabilities of merged classes: ``[n, classes]`` to ``[n, class_names]``.

        Uses double precision: single-precision probabilities can sum to slightly more than one.
        """
        exact = probabilities.astype(float)
        exact /= exact.sum(axis=1, keepdims=True)
        return np.minimum(np.column_stack([exact[:, list(part)].sum(axis=1) for part in self.parts]), 1.0)

    def translate(self, numbers: np.ndarray) -> np.ndarray:
        """Convert indices of the classifier's classes to indices of the distinguished classes."""
        table = {old: new for new, part in enumerate(self.parts) for old in part}
        return np.array([table[number] for number in numbers.tolist()], dtype=int)

    def translate_tables(self, probabilities: np.ndarray, opinions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Convert predictions and opinions to the distinguished classes.

        The predicted class and the abstention threshold use the classifier's own classes, as on its test images.

        Args:
            probabilities: The classifier's output, ``[n, classes]``.
            opinions: Opinions on the same images, with calibrated probabilities of the classifier's classes, in their
                order.

        Returns:
            ``predicted`` and one probability column per class; and ``opinion, reason, prediction_set, ood_score`` with
            one calibrated probability column per class.
        """
        from leukoscope.evaluation.predictions import PREFIX, probability_columns, tabulate_probabilities
        from leukoscope.evaluation.trust import ABSTAINED

        predicted = np.array(self.class_names)[self.translate(probabilities.argmax(axis=1))]
        predictions = tabulate_probabilities(self.collapse(probabilities), self.class_names).assign(predicted=predicted)
        own_columns = [name for name in opinions if name.startswith(PREFIX)]
        calibrated = self.collapse(opinions[own_columns].to_numpy())
        kept = opinions[["reason", "prediction_set", "ood_score"]]
        kept = kept.assign(opinion=opinions["opinion"].where(opinions["opinion"] == ABSTAINED, predicted))
        return predictions, kept.join(pd.DataFrame(calibrated, columns=probability_columns(self.class_names)))

    def select_sets(self, nonconformity: Sequence[list[float]]) -> list[list[float]]:
        """Select the nonconformity scores for sets of the distinguished classes; empty if classes are merged.

        Args:
            nonconformity: One list per class that the classifier knows, as in ``Calibration``.
        """
        apart = all(len(part) == 1 for part in self.parts)
        return [nonconformity[part[0]] for part in self.parts] if apart else []
