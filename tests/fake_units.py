"""Units whose command is a few lines of ours: they wait, die or leave what a study takes for a finished training."""

import json
from pathlib import Path

from leukoscope.core.session import Session
from leukoscope.study.ledger import Ledger
from leukoscope.study.unit import Job

# Its code is in a file, so that workers which were started before can be given another; `leave` is for that code.
_MAIN = """
import fcntl, json, os, pathlib, sys, time
options = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())["leukoscope"]
entry, seed = options["pipelines"].removeprefix("train_"), options["params"]["seed"]
split = "fold-" + options["params"]["splitting"]["fold"].replace(" of ", "-of-")
name = f"{entry}-{split}-{seed}"
told = [options, os.environ.get("MLFLOW_RUN_CONTEXT")]
with open("ran.jsonl", "a") as file: file.write(json.dumps(told) + "\\n")
busy = open(f"{name}.busy", "w")
try: fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: pathlib.Path("twice").touch()
workspace = pathlib.Path(os.environ["LEUKOSCOPE_WORKSPACE"])

def leave():
    home, place = workspace / "06_models" / entry, f"{split}/runs/{seed:012x}"
    (home / place / "evaluation").mkdir(parents=True, exist_ok=True)
    (home / place / "key.json").write_text(json.dumps({"split": split, "seed": seed}))
    (home / place / "evaluation/facts.json").write_text("{}")
    (home / place / "summary.json").write_text("{}")
    (home / "current").write_text(place)

exec(pathlib.Path("code.py").read_text())
"""


def put_fake(project: Path, code: str) -> str:
    """Write a command of some lines into a project; gives the folder that takes the place of the package's source."""
    package = project / "fake/leukoscope"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(_MAIN)
    (project / "code.py").write_text(code)
    return str(package.parent)


def make_job(project: Path, given: dict | None = None, parent: str | None = None) -> Job:
    session = Session(project, "demo", "conf", given or {})
    nodes = dict.fromkeys(("vgg16", "resnet50"), ("vgg16.a", "vgg16.b"))
    return Job(nodes, session, Ledger(project / "data/06_models", project / "logs"), parent)


def read_ran(project: Path) -> list[list]:
    return [json.loads(line) for line in (project / "ran.jsonl").read_text().splitlines()]


def fake_workers(client, source: str) -> None:
    """Let the workers of a cluster, later ones too, start the command of a folder in place of the package's."""
    from distributed import WorkerPlugin

    class Fake(WorkerPlugin):  # of a function, so that its code is sent to the workers
        name = "fake"

        def setup(self, worker) -> None:
            from leukoscope.study import commands

            commands._SOURCE = source

    client.register_plugin(Fake())
