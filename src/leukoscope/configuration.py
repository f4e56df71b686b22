"""Configuration loading for commands that have their own data."""

import os
from typing import Any

from kedro.config import OmegaConfigLoader

from leukoscope.core.session import WORKSPACE


class WorkspaceConfigLoader(OmegaConfigLoader):
    """Loads the configuration as Kedro does, but puts all data into the command's own workspace, if it has one.

    Adds the names of model entries; the hooks also add and check them, but Kedro-Viz loads a project without its hooks.

    The workspace is an environment variable since ``--params`` cannot set globals, and a file would have to know the
    environment that it overrides.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Load one kind of configuration."""
        section = super().__getitem__(key)
        if key == "parameters":
            return _name_entries(section)
        workspace = os.environ.get(WORKSPACE)
        return section | {"data": workspace} if key == "globals" and workspace else section


def _name_entries(parameters: dict[str, Any]) -> dict[str, Any]:
    """Add each model entry's name to it, unless it has another one, which the hooks refuse."""
    models = parameters.get("models")
    if not isinstance(models, dict):
        return parameters
    named = {name: {"name": name, **entry} if isinstance(entry, dict) else entry for name, entry in models.items()}
    return parameters | {"models": named}
