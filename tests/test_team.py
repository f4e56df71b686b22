"""A team's set-up: valid files, pinned images, one closed door; `make team-test` tries the servers themselves."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import jsonschema
import psutil
import pytest
import team_compose
import team_servers
import yaml
from ruamel.yaml import YAML  # of check-jsonschema; by YAML 1.1, PyYAML takes `on` for true

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
SECRETS = ("POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY")
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("compose.yaml", "compose-spec"),
        (".github/workflows/checks.yml", "github-workflows"),
        (".gitlab-ci.yml", "gitlab-ci"),
    ],
)
def test_files_of_other_tools_follow_their_published_schema(file, schema):
    published = json.loads((files("check_jsonschema") / f"builtin_schemas/vendor/{schema}.json").read_text())
    jsonschema.validators.validator_for(published)(published).validate(YAML(typ="safe").load(ROOT / file))


def test_every_image_is_pinned_by_its_digest_or_built_here():
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    foreign = [base for base in bases if base not in re.findall(r" AS (\S+)", (ROOT / "Dockerfile").read_text())]
    assert foreign
    assert [image for image in foreign if not PINNED.fullmatch(image)] == []
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"mlflow", "champion"}
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_what_is_tried_is_what_the_images_have():
    tried = re.search(r"^SEAWEEDFS := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert SERVICES["storage"]["image"].startswith(f"chrislusf/seaweedfs:{tried}@")
    ours, theirs = (
        (ROOT / place).read_text().splitlines() for place in ("requirements.lock", "team/requirements.lock")
    )
    assert next(line for line in ours if line.startswith("mlflow==")) in theirs
    locked = {line.partition("==")[0] for line in theirs}
    asked = [line for line in (ROOT / "team/requirements.in").read_text().split("\n") if line and line[0] != "#"]
    assert set(asked) <= locked


def test_nothing_is_published_but_the_proxy_and_that_on_this_machine():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(ports) == ["proxy"]
    assert all(port.startswith("127.0.0.1:") for port in ports["proxy"])
    networks = yaml.safe_load(COMPOSE.read_text())["networks"]
    outside = {name for name, network in networks.items() if not network.get("internal")}
    assert {name for name, service in SERVICES.items() if outside & set(service["networks"])} == {"proxy"}
    assert not {"postgres", "storage"} & {
        name for name, service in SERVICES.items() if set(service["networks"]) & set(SERVICES["champion"]["networks"])
    }


def test_secrets_come_from_the_env_file_alone():
    example = dict(re.findall(r"^#?(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name: example[name] for name in SECRETS} == dict.fromkeys(SECRETS, "")
    assert set(re.findall(r"\$\{(\w+)", COMPOSE.read_text())) == set(example)
    given = [str(value) for service in SERVICES.values() for name, value in service.get("environment", {}).items()
             if re.search("PASSWORD$|KEY$|KEY_ID$", name)]  # fmt: skip
    assert len(given) >= 6
    assert [value for value in given if not re.match(r"\$\{(%s):\?" % "|".join(SECRETS), value)] == []  # noqa: UP031
    assert ".env" in (ROOT / ".gitignore").read_text().split("\n")
    assert (ROOT / "team/passwords/.gitignore").read_text() == "*\n!.gitignore\n"


def test_images_get_nothing_but_what_they_are_made_of():
    rules = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line and line[0] != "#"]
    assert rules[0] == "*"
    assert {"conf/local", "**/credentials*", "**/.env*"} <= set(rules)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for path in " ".join(copied).split():
        assert (ROOT / path).exists()
        assert any(path == rule or path.startswith(f"{rule}/") for rule in allowed)


def test_images_run_as_nobody_in_particular_and_say_whether_they_work():
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    final = [stage for stage in stages if re.match(r"base AS (mlflow|champion)\n", stage)]
    assert len(final) == 2
    assert all("\nUSER 10001\n" in stage and "\nHEALTHCHECK " in stage for stage in final)
    for name, service in SERVICES.items():
        assert "build" in service or "healthcheck" in service, name


def test_workflows_may_only_read_and_run_what_is_pinned():
    workflow = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    commands = {step["run"] for step in steps if "run" in step}
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    assert commands == {f"make {target} PYTHON=python" for target in ("lint", "test", "test-slow")}
    assert {line for job in ("lint", "test", "test-slow") for line in gitlab[job]["script"]} == commands


def test_variables_are_filled_in_as_compose_does():
    assert team_compose.fill_in("${A:-1}:${B:-2}:${A}", {"A": "x", "B": ""}) == "x:2:x"
    with pytest.raises(KeyError, match="A: copy the file"):
        team_compose.fill_in("${A:?copy the file}", {"A": ""})


def test_each_service_can_be_started_elsewhere():
    services = team_compose.read_services(dict.fromkeys(SECRETS, "secret"), {"mlflow:5000": "127.0.0.1:1"})
    assert services["champion"].environment["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:1"
    assert services["postgres"].environment["POSTGRES_PASSWORD"] == "secret"
    assert "secret" not in " ".join(word for service in services.values() for word in service.command)


def test_programs_that_are_missing_are_named_with_what_installs_them(monkeypatch):
    monkeypatch.setattr(team_compose.shutil, "which", lambda name, path: None if name in ("nginx", "initdb") else name)
    with pytest.raises(team_compose.MissingProgramsError) as caught:
        team_compose.find_programs()
    assert str(caught.value).split("\n") == [
        "Not on this machine: nginx, initdb. On Debian and Ubuntu these bring them:",
        "  apt-get install nginx-light",
        "  apt-get install postgresql",
    ]


@pytest.mark.skipif(os.name == "nt", reason="groups of processes are Unix")
def test_a_server_is_ended_with_whatever_it_has_started():
    command = ["sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    child = psutil.Process(int(process.stdout.readline()))
    team_servers.end_group(process, signal.SIGTERM, seconds=0.2)
    assert process.returncode == -signal.SIGKILL
    child.wait(5)
    process.stdout.close()


def test_the_proxy_s_file_is_valid(tmp_path):
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        pytest.skip("nginx is not here: apt-get install nginx-light")
    values = {name: str(value) for name, value in SERVICES["proxy"]["environment"].items()}
    values = {name: team_compose.fill_in(value, {}) for name, value in values.items()}
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    values |= {"NGINX_LOCAL_RESOLVERS": "127.0.0.1", "PASSWORDS": str(tmp_path), "PROXY_LISTEN": f"127.0.0.1:{port}"}
    server = team_compose.fill_template((ROOT / "team/proxy.conf.template").read_text(), values)
    assert "${" not in server
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {temporary}\n{server}}}"
    )
    command = [nginx, "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
