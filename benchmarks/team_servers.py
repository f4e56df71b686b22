"""The servers of compose.yaml on this machine without Docker: its commands and files, with other places and ports."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from team_compose import ROOT, SERVER_ENVIRONMENT, fill_template, read_services

_LONGEST_START = 300.0
_LONGEST_END = 20.0
_NGINX = """\
daemon off;
pid {scratch}/nginx.pid;
error_log stderr warn;
{user}
events {{}}
http {{
    access_log {scratch}/access.log;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    include {scratch}/default.conf;
}}
"""


def find_ports(count: int) -> list[int]:
    """Find ports that nobody uses."""
    with ExitStack() as stack:
        held = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for probe in held:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in held]


class Servers:
    """All servers of compose.yaml; the champion when it is asked for.

    Args:
        scratch: A folder for what they keep, that other users can enter.
        programs: As ``find_programs`` gives them.
    """

    def __init__(self, scratch: Path, programs: Mapping[str, str]) -> None:
        self._scratch, self._programs = scratch, programs
        self._stack, self._processes = ExitStack(), dict[str, subprocess.Popen[bytes]]()
        self.postgres, self.storage, self.mlflow, self.champion, self.proxy, *self._others = find_ports(12)
        self.secrets = {name: secrets.token_hex(16) for name in ("POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY")}
        self._services = read_services(self.secrets, self._list_places())

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        """Where the proxy answers."""
        return f"http://127.0.0.1:{self.proxy}"

    def start(self, passwords: Mapping[str, tuple[str, str]]) -> None:
        """Start all but the champion.

        Args:
            passwords: A user and a password for each file of passwords.
        """
        self._start_postgres()
        self._start_storage()
        self._start_mlflow()
        self._start_proxy(passwords)

    def start_champion(self) -> None:
        """Serve what the registry calls the champion."""
        service = self._services["champion"]
        folder = self._make_folder("champion")
        # In compose.yaml the image's environment holds the project's dependencies, as this process' does here.
        mlflow = Path(sys.executable).with_name("mlflow")
        environment = {
            "PATH": f"{mlflow.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }
        self._run("champion", [str(mlflow), *service.command[1:]], environment | service.environment, cwd=folder)
        self._wait("champion", lambda: answers(f"http://127.0.0.1:{self.champion}/ping"))

    def query(self, statement: str) -> str:
        """Ask PostgreSQL itself."""
        command = [
            str(Path(self._programs["createdb"]).with_name("psql")),
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
        ]
        return self._ask_postgres(command, "--dbname=mlflow", f"--command={statement}").strip()

    def _list_places(self) -> dict[str, str]:
        return {
            "0.0.0.0": "127.0.0.1",
            "-dir=/data": f"-dir={self._scratch}/storage",
            "postgres:5432": f"127.0.0.1:{self.postgres}",
            "storage:8333": f"127.0.0.1:{self.storage}",
            "-s3.port=8333": f"-s3.port={self.storage}",
            "mlflow:5000": f"127.0.0.1:{self.mlflow}",
            "--port=5000": f"--port={self.mlflow}",
            "champion:5001": f"127.0.0.1:{self.champion}",
            "--port=5001": f"--port={self.champion}",
            "/etc/nginx/passwords": f"{self._scratch}/passwords",
        }

    def _start_postgres(self) -> None:
        """Make a database as the image does, and start it; PostgreSQL does not run as root."""
        asked = self._services["postgres"].environment
        folder = self._make_folder("postgres")
        user = "postgres" if os.geteuid() == 0 else None
        password = folder / "password"
        password.write_text(asked["POSTGRES_PASSWORD"])
        if user:
            shutil.chown(folder, user)
            shutil.chown(password, user)
        data = folder / "data"
        make = [self._programs["initdb"], f"--pgdata={data}", f"--username={asked['POSTGRES_USER']}"]
        make += [f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)
        password.unlink()
        serve = [self._programs["postgres"], "-D", str(data), "-p", str(self.postgres)]
        serve += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        self._run("postgres", serve, {}, cwd=folder, user=user, end=signal.SIGINT)
        self._wait("postgres", lambda: is_open(self.postgres))
        self._ask_postgres([self._programs["createdb"]], asked["POSTGRES_DB"])

    def _ask_postgres(self, command: list[str], *arguments: str) -> str:
        asked = self._services["postgres"].environment
        place = ["--host=127.0.0.1", f"--port={self.postgres}", f"--username={asked['POSTGRES_USER']}", "--no-password"]
        environment = {**os.environ, "PGPASSWORD": asked["POSTGRES_PASSWORD"]}
        deadline = time.monotonic() + _LONGEST_START
        while True:
            done = subprocess.run(
                [*command, *place, *arguments], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return done.stdout
            if "starting up" not in done.stderr or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL refuses: {done.stderr.strip()}")
            time.sleep(0.2)

    def _start_storage(self) -> None:
        service = self._services["storage"]
        self._make_folder("storage")
        names = ["master", "volume", "filer"]
        ports = [f"-{name}.port={port}" for name, port in zip(names, self._others, strict=False)]
        ports += [f"-{name}.port.grpc={port}" for name, port in zip([*names, "s3"], self._others[3:], strict=True)]
        command = [self._programs["weed"], "-logtostderr=true", *service.command, *ports]
        self._run("storage", command, service.environment)
        self._wait("storage", lambda: answers(f"http://127.0.0.1:{self.storage}/healthz"))

    def _start_mlflow(self) -> None:
        service = self._services["mlflow"]
        folder = self._make_folder("mlflow")
        environment = {"PATH": f"{SERVER_ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(folder)}
        own = {"HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._run(
            "mlflow", [self._programs["mlflow"], *service.command[1:]], environment | own | service.environment, folder
        )
        self._wait("mlflow", lambda: answers(f"http://127.0.0.1:{self.mlflow}/health"))

    def _start_proxy(self, passwords: Mapping[str, tuple[str, str]]) -> None:
        folder = self._make_folder("passwords")
        for name, (user, password) in passwords.items():
            hashed = [self._programs["openssl"], "passwd", "-6", "-stdin"]
            done = subprocess.run(hashed, input=password, capture_output=True, text=True, check=True)
            (folder / name).write_text(f"{user}:{done.stdout}")
        values = {**self._services["proxy"].environment, "NGINX_LOCAL_RESOLVERS": "127.0.0.1"}
        values["PROXY_LISTEN"] = f"127.0.0.1:{self.proxy}"
        template = (ROOT / "team/proxy.conf.template").read_text()
        (self._scratch / "default.conf").write_text(fill_template(template, values))
        user = "user root;" if os.geteuid() == 0 else ""
        (self._scratch / "nginx.conf").write_text(_NGINX.format(scratch=self._scratch, user=user))
        self._run("proxy", [self._programs["nginx"], "-e", "stderr", "-c", str(self._scratch / "nginx.conf")], {})
        self._wait("proxy", lambda: answers(f"{self.address}/proxy-health"))

    def _make_folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir(exist_ok=True)
        return folder

    def _run(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        cwd: Path | None = None,
        user: str | None = None,
        end: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start a server in a group of its own, so that it is ended by us alone, with whatever it has started."""
        bare = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        with self._log(name).open("w") as log:
            process = subprocess.Popen(
                command,
                env={**bare, **environment},
                cwd=cwd or self._scratch,
                user=user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        self._stack.callback(end_group, process, end)

    def _log(self, name: str) -> Path:
        return self._scratch / f"{name}.log"

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a server answers.

        Raises:
            RuntimeError: It ended, or does not answer in time; with the end of what it wrote.
        """
        deadline = time.monotonic() + _LONGEST_START
        while not ready():
            code = self._processes[name].poll()
            if code is not None or time.monotonic() > deadline:
                why = "did not answer in time" if code is None else f"ended with status {code}"
                lines = self._log(name).read_text(errors="replace").splitlines()[-20:]
                raise RuntimeError("\n".join([f"{name} {why}. It wrote last:", *lines]))
            time.sleep(0.2)


def end_group(process: subprocess.Popen[bytes], number: signal.Signals, seconds: float = _LONGEST_END) -> None:
    """End a server with all that it has started, in so many seconds or by force."""
    try:
        if number is signal.SIGTERM:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.wait(seconds)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_open(port: int) -> bool:
    """Tell whether something listens."""
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Tell whether a server answers well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return 200 <= response.status < 300
    except (urllib.error.URLError, OSError):
        return False
