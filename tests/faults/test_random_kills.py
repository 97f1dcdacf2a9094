"""A whole system, parts of which are killed at random while it imports: the result is that of an undisturbed run.

`CQIA_FAULT_ROUNDS` says how often (`make faults`: ten times); one round otherwise.
"""

import http.client
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

from cqia_site.embedded import Postgres, Valkey
from tests.faults.processes import until
from tests.ingest.faulty_lines import line, record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("CQIA_FAULT_ROUNDS", "1"))
RECORDS = 3000
ROUND_SECONDS = 400.0
SUBMIT = (
    "from ingest import jobs; from review.models import Source; import sys; path = {path!r}\n"
    "print('job', jobs.submit(source=Source.objects.get(slug='ruozhiba'), by=None,"
    " files=[('a.jsonl', open(path, 'rb'))]).pk)"
)


class System:
    """`serve` on a data folder of its own, with its web server, its workers, its PostgreSQL and its Valkey."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "var"
        self.log = (folder / "log").open("wb")
        self.manage("setup", timeout=300)
        self.serve = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0", "--workers", "2"],
            cwd=ROOT, env=self.environment(), stdout=subprocess.PIPE, stderr=self.log, text=True,
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
            cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=timeout, check=True,
        )  # fmt: skip
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

    def status(self, path: str, token: str = "") -> tuple[int, str | None]:
        """The status of an answer of the site, 0 for none, and when it asks to try again."""
        site = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            site.request("GET", path, headers={"Authorization": f"Bearer {token}"})
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


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    folder = Path(tempfile.mkdtemp(prefix="cqia-faults-", dir="/tmp"))
    folder.chmod(0o755)
    system = System(folder)
    yield system
    system.stop()
    shutil.rmtree(folder)


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


def content(round_number: int) -> tuple[bytes, dict[str, list[int]]]:
    """A file for a round, and which of its lines are new, repeated and refused."""
    lines: list[bytes] = []
    known: set[bytes] = set()
    found: dict[str, list[int]] = {"new": [], "repeated": [], "refused": []}
    draw = random.Random(round_number)
    for number in range(1, RECORDS + 1):
        text = line(record(round_number * 1_000_000 + draw.randrange(RECORDS * 3)))
        text = b"[]" if draw.random() < 0.01 else text
        kind = "refused" if text == b"[]" else "repeated" if text in known else "new"
        known.add(text)
        lines.append(text)
        found[kind].append(number)
    return b"\n".join(lines) + b"\n", found


@pytest.mark.parametrize("round_number", range(1, ROUNDS + 1))
def test_killed_at_random_the_result_is_that_of_an_undisturbed_run(system: System, round_number: int) -> None:
    draw = random.Random(round_number)
    path = system.data.parent / f"{round_number}.jsonl"
    lines, expected = content(round_number)
    path.write_bytes(lines)
    job = int(system.manage("shell", "-v", "0", "-c", SUBMIT.format(path=str(path))).split()[-1])
    done: list[str] = []
    end = time.monotonic() + ROUND_SECONDS
    while (state := system.ask("SELECT state FROM ingest_job WHERE id = %s", job)[0][0]) in {"queued", "running"}:
        assert time.monotonic() < end, (state, done)
        if len(done) < 10:
            done.append(harm(system, draw))
        time.sleep(draw.uniform(0.2, 2))
    assert state == "done", done
    where = "FROM {} WHERE batch_id = (SELECT batch_id FROM ingest_job WHERE id = %s) ORDER BY 1"
    originals = system.ask("SELECT line " + where.format("review_original"), job)
    repeated = system.ask("SELECT line " + where.format("review_duplicate"), job)
    refused = system.ask(
        "SELECT r.line FROM ingest_reject r JOIN ingest_chunk c ON c.id = r.chunk_id WHERE c.job_id = %s ORDER BY 1",
        job,
    )
    records = system.ask("SELECT count(*) " + where.format("review_record").replace(" ORDER BY 1", ""), job)
    read = system.ask("SELECT sum(read) FROM ingest_chunk WHERE job_id = %s", job)
    assert [number for (number,) in originals] == expected["new"], done
    assert [number for (number,) in repeated] == expected["repeated"], done
    assert [number for (number,) in refused] == expected["refused"], done
    assert (records, read) == ([(len(expected["new"]),)], [(RECORDS,)])


def test_f22_database_stopped_at_once_in_mid_job(system: System) -> None:
    token = system.manage("create_token", "admin", "--scope", "ingest:write").strip()
    path = system.data.parent / "f22.jsonl"
    lines, expected = content(99)
    path.write_bytes(lines)
    job = int(system.manage("shell", "-v", "0", "-c", SUBMIT.format(path=str(path))).split()[-1])
    until(lambda: system.ask("SELECT count(*) FROM ingest_chunk WHERE job_id = %s", job)[0][0])
    stop_at_once(system)
    while (answer := system.status("/api/v1/ingest/jobs/", token))[0] == 200:
        pass
    assert answer[0] == 503
    assert answer[1] is not None
    until(lambda: system.status("/api/v1/ingest/jobs/", token)[0] == 200)
    until(lambda: system.ask("SELECT state FROM ingest_job WHERE id = %s", job)[0][0] == "done")
    assert system.ask("SELECT sum(read), sum(new) FROM ingest_chunk WHERE job_id = %s", job) == [
        (RECORDS, len(expected["new"]))
    ]
