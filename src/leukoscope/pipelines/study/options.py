"""Parameters of a study."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from leukoscope.core.class_names import split_names
from leukoscope.core.options import Options


def _split_entries(value: Any) -> Any:
    return () if value is None else split_names(value)  # as `study.entries=` is read


def _split_searched(value: Any) -> Any:
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    return _split_entries(value)


class StudyOptions(Options):
    """Which trainings a study has: every entry with every seed on every fold.

    Attributes:
        entries: The models' names.
        folds: How many folds the images are divided into.
        seeds: How many seeds; the first is the parameter ``seed``, and the others follow it.
        workers: How many trainings run at a time on this machine, where there is no cluster.
        search: Of which entries each unit begins with a search of its own, within its fold; ``true``: of all.
    """

    entries: Annotated[tuple[str, ...], BeforeValidator(_split_entries)] = ()
    folds: int = Field(default=5, ge=2, le=1000)
    seeds: int = Field(default=3, ge=1, le=1000)
    workers: int = Field(default=1, ge=1, le=1000)
    search: Annotated[bool | tuple[str, ...], BeforeValidator(_split_searched)] = False

    @property
    def searched(self) -> tuple[str, ...]:
        """The entries whose hyper-parameters are searched within each fold."""
        return self.search if isinstance(self.search, tuple) else self.entries if self.search else ()
