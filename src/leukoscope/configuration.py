"""How the configuration is read where a command has data of its own."""

import os
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf
from yaml import YAMLError

from leukoscope.core.session import WORKSPACE


class WorkspaceConfigLoader(OmegaConfigLoader):
    """Reads the configuration as Kedro does, but puts all data into the command's own workspace, if it has one.

    Model entries get their names: the hooks give and check these too, but Kedro-Viz reads a project without its hooks.

    Globals cannot be set by ``--params``, and a file would have to know the environment that it overrules.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read one kind of configuration.

        Raises:
            ValueError: A file is no table, or ``data`` of globals no path.
            YAMLError: A file is no YAML.
        """
        try:
            found = super().__getitem__(key)
        except Exception as error:  # of Kedro and OmegaConf, which do not say which file it is
            fault = self._find_fault(key)
            if fault is None:
                raise
            raise (YAMLError if isinstance(error, YAMLError) else ValueError)(fault) from error
        if key == "parameters":
            return _name_entries(found)
        if key == "globals" and not (isinstance(found.get("data", "data"), str) and found.get("data", "data")):
            raise ValueError(f"data in globals.yml is {found['data']!r}: expected the path of a folder, in quotes")
        workspace = os.environ.get(WORKSPACE)
        return found | {"data": workspace} if key == "globals" and workspace else found

    def _find_fault(self, key: str) -> str | None:
        """Find the file of a kind of configuration that is no table, and what is wrong with it."""
        folders = [Path(self.conf_source, env) for env in (self.base_env, self.env or self.default_run_env) if env]
        found = [path for folder in folders for pattern in self.config_patterns[key] for path in folder.glob(pattern)]
        for path in sorted({path for path in found if path.suffix in (".yml", ".yaml")}):
            try:
                is_table = OmegaConf.is_dict(OmegaConf.load(path))
            except (UnicodeDecodeError, YAMLError) as error:
                return f"{path} is no YAML in UTF-8: {error}"
            except OSError as error:
                if error.errno is not None:
                    return f"{path} cannot be read: {error.strerror}"
                is_table = False  # OmegaConf's, of a number
            if not is_table:
                return f"{path} is no table: expected lines like `name: value`"
        return None


def _name_entries(parameters: dict[str, Any]) -> dict[str, Any]:
    """Give each model entry its own name, unless something else stands there, which the hooks refuse."""
    models = parameters.get("models")
    if not isinstance(models, dict):
        return parameters
    named = {name: {"name": name, **entry} if isinstance(entry, dict) else entry for name, entry in models.items()}
    return parameters | {"models": named}
