"""How the configuration is read where a command has data of its own."""

import os
from typing import Any

from kedro.config import OmegaConfigLoader

from leukoscope.core.session import WORKSPACE


class WorkspaceConfigLoader(OmegaConfigLoader):
    """Reads the configuration as Kedro does, but puts all data into the command's own workspace, if it has one.

    Model entries get their names: the hooks give and check these too, but Kedro-Viz reads a project without its hooks.

    Globals cannot be set by ``--params``, and a file would have to know the environment that it overrules.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read one kind of configuration."""
        section = super().__getitem__(key)
        if key == "parameters":
            return _name_entries(section)
        workspace = os.environ.get(WORKSPACE)
        return section | {"data": workspace} if key == "globals" and workspace else section


def _name_entries(parameters: dict[str, Any]) -> dict[str, Any]:
    """Give each model entry its own name, unless something else stands there, which the hooks refuse."""
    models = parameters.get("models")
    if not isinstance(models, dict):
        return parameters
    named = {name: {"name": name, **entry} if isinstance(entry, dict) else entry for name, entry in models.items()}
    return parameters | {"models": named}
