"""The team's servers tried on this machine without Docker: `make team-test` (docs/team.md).

Starts PostgreSQL, SeaweedFS, MLflow and nginx as compose.yaml and the files that it mounts have them, trains a small
model on drawn smears against them, promotes it, serves it, asks it for an opinion, and looks at what must be refused
and at where everything lies. Ends whatever it has started, and removes its folder.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from team_compose import ROOT, SERVER_ENVIRONMENT, MissingProgramsError, find_programs
from team_servers import Servers

_MODEL = "four_layer_cnn"
_IMAGES_PER_CLASS = 40
_TEAM, _ASKER, _STRANGER = ("ann", "team's password"), ("bob", "asker's password"), ("ann", "a guess")
_LIST_BUCKET = """
import boto3, sys
pages = boto3.client("s3", endpoint_url=sys.argv[1]).get_paginator("list_objects_v2").paginate(Bucket="mlflow")
sizes = [item["Size"] for page in pages for item in page.get("Contents", [])]
print(len(sizes), sum(sizes))
"""


class FailedCheckError(Exception):
    """Something is not as it must be."""


def check(what: str, holds: bool, seen: object = "") -> None:
    """Say that something holds, or fail."""
    if not holds:
        raise FailedCheckError(f"Not so: {what}. Seen: {seen}")
    print(f"ok  {what}", flush=True)


def make_project(folder: Path) -> Path:
    """Make a project like this one with fewer drawn smears, and one epoch."""
    project = folder / "project"
    project.mkdir()
    shutil.copy(ROOT / "pyproject.toml", project)
    shutil.copytree(ROOT / "conf", project / "conf", ignore=shutil.ignore_patterns("local"))
    (project / "conf/local").mkdir()
    (project / "src").symlink_to(ROOT / "src")
    (project / ".telemetry").write_text("consent: false\n")
    change(project / "conf/demo/globals.yml", {"images_per_class": _IMAGES_PER_CLASS, "experiment": "leukoscope-team"})
    small = {"models": {_MODEL: {"training": {"epochs": 1, "warmup_epochs": 0}}}, "promotion": {"min_images": 20}}
    change(project / "conf/demo/parameters.yml", {**small, "robustness": {"images": 8}})
    return project


def change(path: Path, changes: dict[str, object]) -> None:
    """Change entries of a YAML file."""
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def run_kedro(project: Path, servers: Servers, login: tuple[str, str], pipelines: str, *more: str) -> tuple[int, str]:
    """Run pipelines against the servers; gives the exit status, and what was written to stderr and stdout."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "KEDRO_"))}
    own |= {"MLFLOW_TRACKING_URI": servers.address, "MLFLOW_DISABLE_TELEMETRY": "true", "COLUMNS": "200"}
    own |= {"MLFLOW_TRACKING_USERNAME": login[0], "MLFLOW_TRACKING_PASSWORD": login[1]}
    command = [sys.executable, "-m", "leukoscope", "--env", "demo", "--pipelines", pipelines, *more]
    done = subprocess.run(
        command, cwd=project, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def ask(
    url: str, login: tuple[str, str] | None, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Ask a server; gives the status and the answer."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json", **(headers or {})})
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=90) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def try_log_in(project: Path, servers: Servers) -> None:
    """Nobody gets in without a password, with a wrong one, or with that of another door."""
    experiments = f"{servers.address}/api/2.0/mlflow/experiments/search?max_results=1"
    check("without a password MLflow is closed", (seen := ask(experiments, None))[0] == 401, seen)
    check("with a wrong one too", (seen := ask(experiments, _STRANGER))[0] == 401, seen)
    check("and with that of those who may only ask", (seen := ask(experiments, _ASKER))[0] == 401, seen)
    check("with the team's it is open", (seen := ask(experiments, _TEAM))[0] == 200, seen)
    page = ask(servers.address, _TEAM)
    check("and shows its page", page[0] == 200 and "<html" in page[1], page)
    foreign = ask(experiments, _TEAM, headers={"Host": "mlflow.example.org"})
    check("under a name that is not its own it answers nothing", foreign[0] == 403, foreign)
    code, said = run_kedro(project, servers, _STRANGER, f"train_{_MODEL}")
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    check("a run with a wrong password ends in one line, before anything is run", code == 1 and len(errors) == 1, said)
    print(f"    {errors[0]}")


def train_and_promote(project: Path, servers: Servers) -> None:
    """One small model, from drawn smears to champion."""
    for pipelines in (f"train_{_MODEL}", "promote"):
        started = time.monotonic()
        code, said = run_kedro(project, servers, _TEAM, pipelines)
        check(f"kedro run --pipelines {pipelines}, in {time.monotonic() - started:.0f} s", code == 0, said)


def look_into_stores(servers: Servers) -> None:
    """Runs are in PostgreSQL, artefacts in S3, and neither in the project."""
    runs = servers.query("SELECT status, count(*) FROM runs GROUP BY status")
    check(f"PostgreSQL has the runs: {runs}", runs.startswith("FINISHED|"), runs)
    places = servers.query("SELECT count(*) FROM runs WHERE artifact_uri NOT LIKE 'mlflow-artifacts:/%'")
    check("all of which have their artefacts behind the proxy", places == "0", places)
    champion = servers.query("SELECT alias || ' is version ' || version FROM registered_model_aliases")
    check(f"and the registry: {champion}", champion == "champion is version 1", champion)
    key = {name: servers.secrets[f"S3_{ours}_KEY"] for name, ours in _KEYS.items()}
    command = [str(SERVER_ENVIRONMENT / "bin/python"), "-c", _LIST_BUCKET, f"http://127.0.0.1:{servers.storage}"]
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", **key}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    check(
        f"S3 has the artefacts: {done.stdout.strip()} bytes", int((done.stdout.split() or ["0"])[0]) > 10, done.stderr
    )
    closed = ask(f"http://127.0.0.1:{servers.storage}/mlflow", None)
    check("which are closed to whoever has no key", closed[0] == 403, closed)


_KEYS = {"AWS_ACCESS_KEY_ID": "ACCESS", "AWS_SECRET_ACCESS_KEY": "SECRET"}


def ask_champion(project: Path, servers: Servers) -> None:
    """The champion answers through the proxy, within its limits, whoever may ask."""
    smear = next((project / "data/demo/01_raw/leukemia").rglob("*.png"), None) or next(
        (project / "data/demo/01_raw/leukemia").rglob("*.jpg")
    )
    body = json.dumps({"inputs": [{"image": base64.b64encode(smear.read_bytes()).decode()}]}).encode()
    opinions = f"{servers.address}/invocations"
    check("before it is started the proxy says so", (seen := ask(opinions, _ASKER, body))[0] == 502, seen)
    servers.start_champion()
    status, said = ask(opinions, _ASKER, body)
    check(
        f"the champion gives an opinion: {said[:160]}",
        status == 200 and "opinion" in json.loads(said)["predictions"][0],
    )
    check("without a password it gives none", (seen := ask(opinions, None, body))[0] == 401, seen)
    check("with a wrong one neither", (seen := ask(opinions, ("bob", "a guess"), body))[0] == 401, seen)
    check(
        "what is no image is refused by the champion",
        (seen := ask(opinions, _ASKER, b'{"inputs": []}'))[0] == 400,
        seen,
    )
    check("nothing but POST is taken", (seen := ask(opinions, _ASKER))[0] == 403, seen)
    large = ask(opinions, _ASKER, b"{}", {"Content-Length": "100000001"})
    check("a body above the limit is refused before it is sent", large[0] == 413, large)
    code, said = run_kedro(
        project, servers, _TEAM, "reader", "--params", "reader.model_uri=models:/leukoscope@champion"
    )
    check("a review page at a desk gets it for its reader", code == 0, said)
    often = {ask(opinions, _ASKER, b"{}")[0] for _ in range(60)}
    check("too many requests in a second are refused", 429 in often and often <= {400, 429}, often)


def main() -> int:
    """Try the servers; gives 0, or 1 with a line that says what is not so."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # servers and folder end with it
    try:
        programs = find_programs()
        with TemporaryDirectory(prefix="leukoscope-team-", ignore_cleanup_errors=True) as scratch:
            Path(scratch).chmod(0o755)
            project = make_project(Path(scratch))
            with Servers(Path(scratch), programs) as servers:
                servers.start({"team": _TEAM, "askers": _ASKER})
                print(f"ok  PostgreSQL, SeaweedFS, MLflow and nginx are up at {servers.address}", flush=True)
                try_log_in(project, servers)
                train_and_promote(project, servers)
                look_into_stores(servers)
                ask_champion(project, servers)
    except (MissingProgramsError, FailedCheckError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Everything that was started has ended.", file=sys.stderr)
        return 130
    print("All of it holds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
