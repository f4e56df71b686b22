"""Let a wheel have the configuration too, so that it runs where there is no project around it."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfiguration(build_py):
    """Copies ``conf``, but for what is local to a machine, into the package."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "leukoscope/conf")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree("conf", target, ignore=shutil.ignore_patterns("local"))
            (target / "local").mkdir()
            (target / "local/.gitkeep").touch()  # an archive has no empty folders


setup(cmdclass={"build_py": BuildWithConfiguration})
