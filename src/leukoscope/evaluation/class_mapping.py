"""How the folders of other people's images stand for the classes that a classifier knows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from leukoscope.core.class_names import MALIGNANT

_BENIGN = "benign"


class ClassMapping(NamedTuple):
    """Which class each folder holds, of all that a classifier knows, or of benign and malignant only.

    Attributes:
        by_folder: The class of each folder.
        class_names: The classes that are told apart.
        parts: For each of them, the numbers of the classifier's classes that it is made of.
        benign: Those of them that are not malignant.
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
        """Make sense of a user's table of folders.

        Args:
            class_map: The class of each folder: one that the classifier knows, or ``malignant``, and then only benign
                and malignant are told apart. ``None``: folders are named as the classes.
            class_names: The classes that the classifier knows, in order.
            benign: Which of them are not malignant; several are called benign where they are not told apart.
            two_classes: Whether only benign and malignant are told apart even if no folder holds ``malignant``.

        Raises:
            ValueError: A folder stands for a class that there is not.
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
        """Add up the probabilities of the classes that are not told apart: ``[n, classes]`` to ``[n, class_names]``.

        In double precision: single-precision probabilities can add up to a little more than one.
        """
        exact = probabilities.astype(float)
        exact /= exact.sum(axis=1, keepdims=True)
        return np.minimum(np.column_stack([exact[:, list(part)].sum(axis=1) for part in self.parts]), 1.0)

    def translate(self, numbers: np.ndarray) -> np.ndarray:
        """Give the number of the class that is told apart for each number of a class that the classifier knows."""
        table = {old: new for new, part in enumerate(self.parts) for old in part}
        return np.array([table[number] for number in numbers.tolist()], dtype=int)

    def translate_tables(self, probabilities: np.ndarray, opinions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Put predictions and opinions into the classes that are told apart.

        What is predicted, and how sure it must be, goes by the classifier's own classes, as on its test images.

        Args:
            probabilities: As the classifier gives them, ``[n, classes]``.
            opinions: Of the same images, with calibrated probabilities of the classifier's classes, in their order.

        Returns:
            ``predicted`` and one probability column a class; and ``opinion, reason, prediction_set, ood_score`` and one
            calibrated probability column a class.
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
        """Select what prediction sets of the classes that are told apart are learned from; nothing where some are not.

        Args:
            nonconformity: Of each class that the classifier knows, as in ``Calibration``.
        """
        apart = all(len(part) == 1 for part in self.parts)
        return [nonconformity[part[0]] for part in self.parts] if apart else []
