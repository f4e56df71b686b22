"""Whether the catalog names the columns that tables really have, as the reference of the documentation says it does."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

BASE = Path(__file__).parents[1] / "conf/base"


@cache
def read_entries() -> dict[str, dict]:
    """Give what each table's data set is made of, within whatever wraps it, by the name of its entry."""
    found = {}
    for path in BASE.glob("catalog*.yml"):
        for name, entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            inner = entry
            while isinstance(inner, dict) and "requires" not in inner:
                inner = inner.get("dataset")
            if isinstance(inner, dict):
                found[name] = inner
    return found


def list_unnamed(name: str, columns: pd.DataFrame | Iterable[str]) -> list[str]:
    """List the columns of a table that its entry names neither in ``requires`` nor in ``optional``."""
    entry = read_entries()[name]
    named = [*entry["requires"], *entry.get("optional", ())]
    return [column for column in columns if not any(fnmatchcase(column, pattern) for pattern in named)]
