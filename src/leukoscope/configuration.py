"""Configuration loading for commands that have their own data."""

import os
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf
from yaml import YAMLError

from leukoscope.core.errors import InputError
from leukoscope.core.session import WORKSPACE


class TellingConfigLoader(OmegaConfigLoader):
    """Reads the configuration as Kedro does, and says which file it is that cannot be read."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read one kind of configuration.

        Raises:
            InputError: A file is no table in YAML.
        """
        try:
            return super().__getitem__(key)
        except Exception as error:
            fault = _find_fault(self, key)
            if fault is None:
                raise
            raise InputError(f"The {key} cannot be read, nothing was run: {fault}") from error


class WorkspaceConfigLoader(TellingConfigLoader):
    """Reads the configuration as Kedro does, but puts all data into the command's own workspace, if it has one.

    Adds the names of model entries; the hooks also add and check them, but Kedro-Viz loads a project without its hooks.

    The workspace is an environment variable since ``--params`` cannot set globals, and a file would have to know the
    environment that it overrides.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read one kind of configuration.

        Raises:
            InputError: A file is no table in YAML, or ``data`` of globals no path.
        """
        section = super().__getitem__(key)
        if key == "parameters":
            return _name_entries(section)
        data = section.get("data", "data")
        if key == "globals" and not (isinstance(data, str) and data):
            raise InputError(
                f"data in globals.yml is {data!r}, nothing was run: expected the path of a folder, in quotes."
            )
        workspace = os.environ.get(WORKSPACE)
        return section | {"data": workspace} if key == "globals" and workspace else section


def _find_fault(loader: OmegaConfigLoader, key: str) -> str | None:
    folders = [Path(loader.conf_source, env) for env in (loader.base_env, loader.env or loader.default_run_env) if env]
    found = [path for folder in folders for pattern in loader.config_patterns[key] for path in folder.glob(pattern)]
    for path in sorted({path for path in found if path.suffix in (".yml", ".yaml", ".json")}):
        try:
            is_table = OmegaConf.is_dict(OmegaConf.load(path))
        except YAMLError as error:
            return f"{path} is no YAML: {error}. Names with brackets or other signs of YAML must stand in quotes."
        except UnicodeDecodeError:
            return f"{path} is not in UTF-8. Save it again as that."
        except OSError as error:
            if error.errno is not None:
                return f"{path}: {error.strerror}."
            is_table = False  # OmegaConf's, of a number
        if not is_table:
            return f"{path} is no table. Expected lines like `name: value`."
    return None


def _name_entries(parameters: dict[str, Any]) -> dict[str, Any]:
    """Add each model entry's name to it, unless it has another one, which the hooks refuse."""
    models = parameters.get("models")
    if not isinstance(models, dict):
        return parameters
    named = {name: {"name": name, **entry} if isinstance(entry, dict) else entry for name, entry in models.items()}
    return parameters | {"models": named}
