"""How the configuration is read where a command has data of its own."""

import os
from typing import Any

from kedro.config import OmegaConfigLoader

from leukoscope.core.session import WORKSPACE


class WorkspaceConfigLoader(OmegaConfigLoader):
    """Reads the configuration as Kedro does, but puts all data into the command's own workspace, if it has one.

    Globals cannot be set by ``--params``, and a file would have to know the environment that it overrules.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read one kind of configuration."""
        found = super().__getitem__(key)
        workspace = os.environ.get(WORKSPACE)
        return found | {"data": workspace} if key == "globals" and workspace else found
