"""Parameters of splitting."""

import re
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from leukoscope.core.options import Options
from leukoscope.training.runs import name_split

_EMBARGO = 37


class SplittingOptions(Options):
    """The shares of the splits, or one of several folds, and the groups that never straddle two splits.

    Attributes:
        validation_embargo: How many file numbers separate training and validation images; ``None`` for ``embargo``.
    """

    train: float = Field(default=0.70, gt=0, lt=1)
    validation: float = Field(default=0.15, gt=0, lt=1)
    test: float = Field(default=0.15, gt=0, lt=1)
    fold: str | None = None
    group_by: Literal["duplicate", "appearance", "table", "series", "name"] = "duplicate"
    appearance_clusters: PositiveInt = 60
    embargo: NonNegativeInt = _EMBARGO
    validation_embargo: NonNegativeInt | None = None

    @field_validator("fold")
    @classmethod
    def _check_fold(cls, fold: str | None) -> str | None:
        if fold is None:
            return None
        match = re.fullmatch(r"(\d+) of (\d+)", fold)
        if not match or not 1 <= int(match[1]) <= int(match[2]) or int(match[2]) < 2:
            raise ValueError(f"fold is '{fold}'; write it as 'i of k', as in '1 of 5', with i from 1 to k")
        return f"{int(match[1])} of {int(match[2])}"

    @model_validator(mode="after")
    def _check_sum(self) -> "SplittingOptions":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test add up to {total:g}; they must add up to 1")
        return self

    @model_validator(mode="after")
    def _check_embargo(self) -> "SplittingOptions":
        if self.embargo != _EMBARGO and self.group_by != "series":
            raise ValueError(
                f"embargo is {self.embargo} and group_by '{self.group_by}', so that the embargo would not be used; "
                "give group_by=series, or leave the embargo out"
            )
        if self.validation_embargo is not None and self.group_by != "series":
            raise ValueError(
                f"validation_embargo is {self.validation_embargo} and group_by '{self.group_by}', so that it would not "
                "be used; give group_by=series, or leave it out"
            )
        return self

    @property
    def fold_number(self) -> tuple[int, int] | None:
        """The fold that is the test set, counted from 1, and the number of folds."""
        if self.fold is None:
            return None
        chosen, folds = self.fold.split(" of ")
        return int(chosen), int(folds)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters of a split as in older records: the validation embargo is included only if it differs."""
        same = self.validation_embargo in {None, self.embargo}
        return self.model_dump(exclude={"validation_embargo"} if same else None)

    @property
    def split_name(self) -> str:
        """The name of the split in a model's folders: ``holdout``, or like ``fold-1-of-5``."""
        return name_split(self.fold_number)
