"""Real processes to be killed: a broker, workers, commands; all on the database of the tests."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

from cqia_site.embedded import program

LEASE_SECONDS = 1.5
PATIENCE_SECONDS = 60.0


def until[T](answer: Callable[[], T], *, meanwhile: Callable[[], object] = lambda: None) -> T:
    """Ask until the answer is a true one, and return it; `meanwhile` is called in between."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := answer()):
        assert time.monotonic() < end, "it did not happen"
        meanwhile()
        time.sleep(0.05)
    return found


def send_to(broker: "Broker", monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process know that broker alone: the producers that are kept would go on writing to the one before."""
    monkeypatch.setitem(current_app.conf, "broker_url", broker.url.replace("unix://", "redis+socket://"))
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)


class Broker:
    """A Valkey of one test's own, that keeps nothing on disk."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cqia-broker-", dir="/tmp"))
        self.socket = self.folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [program("valkey-server"), *options, "--dir", str(self.folder), "--loglevel", "warning"]
        )
        until(self.answers)

    def answers(self) -> bool:
        with suppress(RedisError), Redis.from_url(self.url, socket_timeout=1) as client:
            return bool(client.ping())
        return False

    def forget_everything(self) -> None:
        with Redis.from_url(self.url) as client:
            client.flushall()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


class Worker:
    """A Celery worker with its pool, whose log can be read; never more than one job a process at a time."""

    def __init__(self, broker: Broker, folder: Path, number: int, *, processes: int, more: dict[str, str]) -> None:
        self.log = folder / f"worker{number}.log"
        command = ["-W", "ignore", "-m", "celery", "-q", "-A", "cqia_site.celery:app", "worker", "--loglevel", "INFO"]
        options = [
            "--concurrency",
            str(processes),
            "--hostname",
            f"{number}@{broker.folder.name}",
            "--without-gossip",
            "--without-mingle",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, *options],
                cwd=settings.BASE_DIR,
                env=environment(broker) | more,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self, words: str) -> bool:
        return words in self.log.read_text(encoding="utf-8", errors="replace")

    def pool(self) -> list[int]:
        """The processes that do the jobs."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill(self) -> None:
        """Kill it and its pool, as a machine does that loses power."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def database_url(name: str | None = None) -> str:
    """The address of the database of the tests, or of another one on the same server."""
    known = connection.settings_dict
    host, password = quote(known["HOST"], safe=""), f":{quote(known['PASSWORD'])}" if known["PASSWORD"] else ""
    port = f":{known['PORT']}" if known["PORT"] else ""
    return f"postgres://{known['USER']}{password}@{host}{port}/{name or known['NAME']}"


def environment(broker: Broker) -> dict[str, str]:
    """What a process needs to know to work on the database and the uploads of this test."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker.url,
        "CQIA_DATA_DIR": str(settings.UPLOAD_ROOT.parent),
        "DJANGO_SETTINGS_MODULE": "cqia_site.settings",
        "INGEST_LEASE_SECONDS": str(LEASE_SECONDS),
        "INGEST_RESEND_SECONDS": "1",
        "INGEST_PART_KIB": "2",
        "INGEST_WORKERS_PER_JOB": str(settings.INGEST_WORKERS_PER_JOB),
        "INGEST_CHUNK_RECORDS": str(settings.INGEST_CHUNK_RECORDS),
    }


def command(broker: Broker, *words: str, **more: str) -> subprocess.Popen[bytes]:
    """A Python process of the project, such as a management command."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=settings.BASE_DIR,
        env=environment(broker) | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def sessions() -> Iterator[int]:
    """The sessions of other processes on the database of the tests."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        yield from (pid for (pid,) in cursor.fetchall())


def end_sessions() -> int:
    """End every session but the test's own, as `pg_terminate_backend` does; return how many there were."""
    ended = list(sessions())
    with connection.cursor() as cursor:
        for pid in ended:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    return len(ended)
