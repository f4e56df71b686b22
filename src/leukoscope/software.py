"""With what software results are made."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("keras", "tensorflow", "numpy", "pandas", "scikit-learn", "scikit-image", "statsmodels", "crepes", "kedro")


def describe_software(project: Path) -> dict[str, Any]:
    """Name the versions of what computes, and the commit of the project.

    Args:
        project: Its folder.
    """
    from leukoscope import __version__

    facts = {"leukoscope": __version__, "commit": find_git_commit(project), "python": platform.python_version()}
    return facts | {package: version(package) for package in _PACKAGES}


def find_git_commit(project: Path | str) -> str | None:
    """Name the commit of a project, if it is in a git repository."""
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
