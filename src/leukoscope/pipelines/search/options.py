"""Parameters of a hyperparameter search."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BeforeValidator, Field, field_validator

from leukoscope.core.class_names import split_names
from leukoscope.core.options import Options
from leukoscope.study.objectives import require_objectives
from leukoscope.study.space import DEFAULT_SPACE, Range, flatten, require_fitting, require_names

# Increase this when the same model would get other scores.
SCORES_FORMAT = 1
# Query parameters by which database drivers accept passwords in a URL.
_SECRETS = frozenset({"password", "passwd", "pwd", "passfile"})


def _read_space(space: Any) -> Any:
    if not isinstance(space, Mapping):
        return DEFAULT_SPACE if space is None else space
    flat = flatten(space)
    require_names(flat)
    return flat


class SearchOptions(Options):
    """Which model's hyperparameters to search, in which space, and for which objectives.

    Attributes:
        entry: The model's name.
        trials: Number of trials after which the search ends.
        objective: What to optimise; several objectives give a Pareto front.
        pruner: How trials are ended early, by their validation losses.
        storage: The URL of a database shared by several machines; ``None`` for a file.
        space: The range of each parameter; ``None`` for the default space.
    """

    entry: str | None = None
    trials: int = Field(default=30, ge=1, le=100_000)
    objective: Annotated[tuple[str, ...], BeforeValidator(split_names)] = ("validation_loss",)
    pruner: Literal["hyperband", "median", "none"] = "hyperband"
    storage: str | None = None
    space: Annotated[dict[str, Range], BeforeValidator(_read_space)] = Field(default=None, validate_default=True)

    @field_validator("objective")
    @classmethod
    def _require_objectives(cls, objective: tuple[str, ...]) -> tuple[str, ...]:
        require_objectives(objective)
        return objective

    @field_validator("storage")
    @classmethod
    def _require_no_password(cls, storage: str | None) -> str | None:
        parts = urlsplit(storage or "")
        if parts.password or _SECRETS & {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
            raise ValueError(
                "search.storage has a password, which MLflow and logs would show: leave it out, and give it to the "
                "database's driver in its own way, such as PGPASSWORD or ~/.pgpass"
            )
        return storage

    @field_validator("space")
    @classmethod
    def _require_space(cls, space: dict[str, Range]) -> dict[str, Range]:
        if not space:
            raise ValueError("search.space has no parameter to search")
        require_fitting(space)
        return space
