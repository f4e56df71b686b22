"""``leukoscope`` or ``python -m leukoscope``: the equivalent of ``kedro run``, inside or outside of a project."""

import os
import sys
from pathlib import Path
from typing import Any

_OWN_LOGGING = Path(__file__).parent / "conf/logging.yml"


def main(*arguments: Any, **options: Any) -> Any:
    """Run pipelines in the working directory."""
    if _OWN_LOGGING.is_file() and not Path("conf/logging.yml").is_file():
        os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(_OWN_LOGGING))  # before Kedro looks for one
    from kedro.framework.project import configure_project

    configure_project("leukoscope")
    from leukoscope.cli import run

    return run(*arguments, **{"prog_name": "leukoscope", "standalone_mode": not hasattr(sys, "ps1")} | options)


if __name__ == "__main__":
    main()
