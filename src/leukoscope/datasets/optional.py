"""A data set that may be absent."""

from typing import Any

from kedro.io import AbstractDataset


class OptionalDataset(AbstractDataset[Any, Any]):
    """Wraps a data set and loads ``None`` if it does not exist.

    Args:
        dataset: The configuration of the wrapped data set.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, dataset: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._dataset: AbstractDataset = AbstractDataset.from_config("wrapped", dataset)
        self.metadata = metadata

    def load(self) -> Any:
        """Read the wrapped data set, or return ``None``."""
        if hasattr(self, "require_own"):
            self.require_own()
        return self._dataset.load() if self._exists() else None

    def save(self, data: Any) -> None:
        """Write the wrapped data set."""
        self._dataset.save(data)

    def __getattr__(self, name: str) -> Any:
        """Forward optional methods to the wrapped data set: Kedro-Viz's preview, and the check of its own content."""
        if name in ("preview", "require_own"):
            return getattr(self._dataset, name)
        raise AttributeError(name)

    def _exists(self) -> bool:
        return self._dataset.exists()

    def _describe(self) -> dict[str, Any]:
        return {"dataset": repr(self._dataset)}


def unwrap(dataset: Any) -> Any:
    """Return the data set that another wraps, as this one and Kedro's cache do, else the data set itself."""
    return getattr(dataset, "__dict__", {}).get("_dataset", dataset)
