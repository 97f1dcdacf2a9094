"""A whole system on a data folder of its own, and what may happen to it."""

import http.client
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import psutil
import psycopg
from redis import Redis
from redis.exceptions import RedisError

from cqia_site.embedded import Postgres, Valkey
from tests.conftest import REPOSITORY
from tests.faults.processes import until


class CommandFailedError(Exception):
    """A command that ended with another status than 0: the status, and what it printed."""


class System:
    """`serve` on a data folder of its own, with its web server, its workers, its PostgreSQL and its Valkey."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "var"
        self.log = (folder / "log").open("wb")
        self.manage("setup", timeout=300)
        self.serve = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0", "--workers", "2"],
            cwd=REPOSITORY, env=self.environment(), stdout=subprocess.PIPE, stderr=self.log, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self.serve.stdout is not None
        self.port = int(re.findall(r":(\d+)/", self.serve.stdout.readline())[0])

    def environment(self) -> dict[str, str]:
        configured = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "CQIA_DATA_DIR"}
        inherited = {name: value for name, value in os.environ.items() if name not in configured}
        own = {"INGEST_LEASE_SECONDS": "3", "INGEST_RESEND_SECONDS": "2", "INGEST_PART_KIB": "16"}
        return inherited | own | {"CQIA_DATA_DIR": str(self.data), "INGEST_CHUNK_RECORDS": "50"}

    def manage(self, *words: str, timeout: float = 120) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=REPOSITORY, env=self.environment(), capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if done.returncode:
            raise CommandFailedError(done.returncode, done.stdout + done.stderr)
        return done.stdout

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database, and again until it is there."""
        answer: list[list[tuple[Any, ...]]] = []

        def asked() -> bool:
            with suppress(psycopg.OperationalError), psycopg.connect(Postgres(self.data).address) as session:
                answer.append(session.execute(query, parameters).fetchall())
            return bool(answer)

        until(asked)
        return answer[0]

    def processes(self, *words: str) -> list[psutil.Process]:
        """The processes of this system whose command line has one of the words."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = " ".join(process.cmdline())
                own = process.environ().get("CQIA_DATA_DIR") == str(self.data) or str(self.data) in command
                if own and any(word in command for word in words) and process.pid != self.serve.pid:
                    found.append(process)
        return found

    def status(
        self,
        path: str,
        token: str = "",
        *,
        method: str = "GET",
        body: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, str | None]:
        """The status of an answer of the site, 0 for none, and when it asks to try again."""
        site = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            signed = {"Authorization": f"Bearer {token}"} if token else {}
            site.request(method, path, body, headers={**signed, **headers})
            answer = site.getresponse()
            answer.read()
            return answer.status, answer.getheader("Retry-After")
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            site.close()

    def stop(self) -> None:
        self.serve.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.serve.wait(timeout=60)
        with suppress(ProcessLookupError):
            os.killpg(self.serve.pid, signal.SIGKILL)
        if self.serve.stdout is not None:
            self.serve.stdout.close()
        for server in (Postgres(self.data), Valkey(self.data)):
            server.stop()
        self.log.close()


@contextmanager
def running_system() -> Iterator[System]:
    """A system that runs; nothing is left of it afterwards."""
    with TemporaryDirectory(prefix="cqia-faults-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        system = System(Path(folder))
        try:
            yield system
        finally:
            system.stop()


def kill_one(processes: list[psutil.Process], draw: random.Random) -> None:
    if processes:
        with suppress(psutil.Error):
            draw.choice(processes).kill()


def harm(system: System, draw: random.Random) -> str:
    """Do one of the things that may happen to a running system; return which."""
    what = draw.choice(["worker", "child", "web", "valkey", "flush", "postgres", "sessions"])
    workers = system.processes("celery")
    masters = [process for process in workers if process.ppid() == system.serve.pid]
    if what == "worker":
        kill_one(masters, draw)
    elif what == "child":
        kill_one([process for process in workers if process not in masters], draw)
    elif what == "web":
        kill_one(system.processes("gunicorn"), draw)
    elif what == "valkey":
        kill_one(system.processes("valkey-server"), draw)
    elif what == "flush":
        with suppress(RedisError), Redis.from_url(Valkey(system.data).address) as client:
            client.flushall()
    elif what == "postgres":
        stop_at_once(system)
    else:
        with suppress(psycopg.Error), psycopg.connect(Postgres(system.data).address) as session:
            session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    return what


def stop_at_once(system: System) -> None:
    """Do what `pg_ctl stop -m immediate` does."""
    with suppress(OSError, ValueError, IndexError):
        pid = (system.data / "services" / Postgres.pid_name).read_text(encoding="utf-8").split("\n")[0]
        os.kill(int(pid), signal.SIGQUIT)
