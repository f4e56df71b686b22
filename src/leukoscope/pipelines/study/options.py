"""Parameters of a study."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from leukoscope.core.class_names import split_names
from leukoscope.core.options import Options


def _split_entries(value: Any) -> Any:
    return () if value is None else split_names(value)  # `study.entries=` gives None


def _split_searched(value: Any) -> Any:
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    return _split_entries(value)


class StudyOptions(Options):
    """Which trainings a study comprises: every entry with every seed on every fold.

    Attributes:
        entries: The models' names.
        folds: Number of folds into which the images are divided.
        seeds: Number of seeds; the first is the parameter ``seed``, and the others follow it.
        workers: Number of trainings that run at a time on this machine, without a cluster.
        search: Entries whose units each begin with their own search, within their fold; ``true`` for all entries.
    """

    entries: Annotated[tuple[str, ...], BeforeValidator(_split_entries)] = ()
    folds: int = Field(default=5, ge=2, le=1000)
    seeds: int = Field(default=3, ge=1, le=1000)
    workers: int = Field(default=1, ge=1, le=1000)
    search: Annotated[bool | tuple[str, ...], BeforeValidator(_split_searched)] = False

    @property
    def searched(self) -> tuple[str, ...]:
        """The entries whose hyperparameters are searched within each fold."""
        return self.search if isinstance(self.search, tuple) else self.entries if self.search else ()
