"""The software that produces results."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from leukoscope.core.fingerprint import fingerprint_files

_PACKAGES = ("keras", "tensorflow", "numpy", "pandas", "scikit-learn", "scikit-image", "statsmodels", "crepes", "kedro")


def describe_software(project: Path) -> dict[str, Any]:
    """Describe the versions of libraries that compute, the project's commit, and a hash of the package's source.

    Args:
        project: The project's folder.
    """
    from leukoscope import __version__

    source = sorted(Path(__file__).parents[1].rglob("*.py"))
    facts = {"leukoscope": __version__, "source": fingerprint_files(source), "commit": find_git_commit(project)}
    facts["python"] = platform.python_version()
    return facts | {package: version for package in _PACKAGES if (version := _find_version(package))}


def _find_version(package: str) -> str | None:
    """Return a package's version; ``None`` if missing, as TensorFlow may be when another backend is used."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def find_git_commit(project: Path | str) -> str | None:
    """Return the commit of a project, if it is in a git repository."""
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
