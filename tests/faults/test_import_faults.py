"""Imports under faults, with real processes: afterwards all is as if nothing had happened, and nothing is in twice."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from celery import current_app
from django.db import connection
from django.utils import translation
from pytest_django.fixtures import Settings

from ingest import sweeper, tasks  # noqa: F401  the tasks are registered in a web process as well
from ingest.models import Chunk, Job, Reject
from review.models import Duplicate, Original, Record
from tests.faults.processes import Broker, Worker, command, end_sessions, send_to, until
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import counts, fresh, submitted

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = good_lines(160)
LINES = [*GOOD[:100], b"[]", GOOD[3], *GOOD[100:], GOOD[150], b"{"]
CONTENT = b"\n".join(LINES) + b"\n"
UNDISTURBED = {"read": 164, "new": 160, "duplicate": 2, "rejected": 2}

type Start = Callable[..., Worker]


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.UPLOAD_ROOT = tmp_path / "uploads"
    settings.INGEST_CHUNK_RECORDS = 10
    settings.INGEST_WORKERS_PER_JOB = 1
    settings.INGEST_RESEND_AFTER /= 20
    return tmp_path


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker that runs, known to this process as well."""
    broker = Broker()
    send_to(broker, monkeypatch)
    broker.start()
    yield broker
    broker.remove()


@pytest.fixture
def start(broker: Broker, folder: Path) -> Iterator[Start]:
    """Start a worker; whatever is left of it afterwards is killed, before the tables are emptied."""
    workers: list[Worker] = []

    def start(*, processes: int = 1, **more: str) -> Worker:
        workers.append(Worker(broker, folder, len(workers), processes=processes, more=more))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        sys.stdout.write(worker.log.read_text(encoding="utf-8", errors="replace"))
    end_sessions()


@pytest.fixture
def slow_chunks() -> Iterator[Callable[[str], None]]:
    """Let the database take a while over a chunk: time enough to do harm in the middle of it."""

    def slow(seconds: str) -> None:
        run(f"CREATE FUNCTION test_slow() RETURNS trigger LANGUAGE plpgsql AS"
            f" 'BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END'")  # fmt: skip
        run("CREATE TRIGGER test_slow BEFORE INSERT ON ingest_chunk FOR EACH ROW EXECUTE FUNCTION test_slow()")

    yield slow
    run("DROP FUNCTION test_slow CASCADE")


@pytest.fixture
def _first_chunks_meet() -> Iterator[None]:
    """Hold the very first chunk until another session waits for what it has written."""
    run("""
        CREATE FUNCTION test_meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            WHILE NOT EXISTS (SELECT FROM ingest_chunk)
                AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)
            LOOP PERFORM pg_sleep(0.01); END LOOP;
            RETURN NEW;
        END $$""")
    run("CREATE TRIGGER test_meet BEFORE INSERT ON ingest_chunk FOR EACH ROW EXECUTE FUNCTION test_meet()")
    yield
    run("DROP FUNCTION test_meet CASCADE")


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def submit(*, tell_workers: bool = True) -> Job:
    return submitted(CONTENT, tell_workers=tell_workers)


def in_the_middle_of(job: Job) -> Callable[[], bool]:
    return lambda: Chunk.objects.filter(job=job).count() >= 3


def ended(*jobs: Job) -> Callable[[], bool]:
    return lambda: not Job.objects.filter(pk__in=[job.pk for job in jobs], state__in=Job.OPEN).exists()


def assert_as_if_nothing_had_happened(job: Job, *, attempt: int) -> None:
    job = fresh(job)
    assert (job.state, job.attempt, job.error) == (Job.State.DONE, attempt, "")
    assert counts(job) == UNDISTURBED
    lines = {number for number, line in enumerate(LINES, start=1) if LINES.index(line) == number - 1}
    repeated = [102, 163]
    refused = [101, 164]
    assert list(Original.objects.order_by("line").values_list("line", flat=True)) == sorted(lines - set(refused))
    assert list(Duplicate.objects.order_by("line").values_list("line", flat=True)) == repeated
    assert list(Reject.objects.order_by("line").values_list("line", flat=True)) == refused
    assert Record.objects.filter(batch=job.batch, revision__number=1).count() == len(GOOD) == Record.objects.count()
    chunks = list(job.chunks.order_by("number").values_list("number", "first_offset", "end_offset"))
    assert [number for number, _first, _end in chunks] == list(range(1, 18))
    assert [first for _number, first, _end in chunks] == [0, *[end for _number, _first, end in chunks[:-1]]]
    assert job.rejects_path.read_bytes().count(b"\n") == 2


def test_f1_pool_process_killed_in_mid_chunk(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.1")
    worker, job = start(), submit()
    until(in_the_middle_of(job))
    os.kill(worker.pool()[0], signal.SIGKILL)
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=2)


def test_f2_whole_worker_killed_in_mid_chunk(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.1")
    worker, job = start(), submit()
    until(in_the_middle_of(job))
    worker.kill()
    start()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=2)


def test_f3_message_delivered_twice_at_once(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.1")
    worker, job = start(processes=2), submit()
    sweeper.send(job.pk)
    until(ended(job))
    until(lambda: worker.said("duplicate delivery"))
    assert_as_if_nothing_had_happened(job, attempt=1)


def test_f4_run_that_was_frozen_beyond_its_lease(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.1")
    worker, job = start(), submit()
    until(in_the_middle_of(job))
    [frozen] = worker.pool()
    os.kill(frozen, signal.SIGSTOP)
    end_sessions()
    start()
    until(lambda: fresh(job).fence == 2, meanwhile=sweeper.sweep)
    os.kill(frozen, signal.SIGCONT)
    until(ended(job), meanwhile=sweeper.sweep)
    until(lambda: worker.said("another run has taken it"))
    assert_as_if_nothing_had_happened(job, attempt=2)


def test_f5_poison_that_kills_every_worker(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("CASE WHEN NEW.number = 4 AND NEW.job_id = (SELECT min(id) FROM ingest_job) THEN 60 ELSE 0 END")
    worker, poison = start(), submit()
    for attempt in (1, 2, 3):
        until(lambda: at_the_poison(poison, attempt), meanwhile=sweeper.sweep)  # noqa: B023  asked at once
        os.kill(worker.pool()[0], signal.SIGKILL)
        end_sessions()
    until(ended(poison), meanwhile=sweeper.sweep)
    poison = fresh(poison)
    assert (poison.state, poison.attempt, counts(poison)) == ("quarantined", 3, {"read": 30, "new": 30})
    assert "a.jsonl" in poison.error
    assert "line 30" in poison.error
    other = submitted(b"\n".join(good_lines(170)[160:]))
    until(ended(other), meanwhile=sweeper.sweep)
    assert counts(other) == {"read": 10, "new": 10}


def at_the_poison(job: Job, attempt: int) -> bool:
    """Whether this attempt has come to where it will stay."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
        asleep = bool(cursor.fetchone()[0])
    return asleep and Job.objects.filter(pk=job.pk, attempt=attempt, cursor_line=30).exists()


def test_f6_process_dies_between_commit_and_message(broker: Broker, start: Start, folder: Path) -> None:
    path = folder / "a.jsonl"
    path.write_bytes(CONTENT)
    script = (
        "import os, django; django.setup()\n"
        "from ingest import jobs; from review.models import Source\n"
        "jobs.send = lambda job: os._exit(9)\n"
        "files = [('a.jsonl', open(os.environ['FILE'], 'rb'))]\n"
        "jobs.submit(source=Source.objects.get(slug='ruozhiba'), files=files, by=None)"
    )
    process = command(broker, "-c", script, FILE=str(path))
    process.communicate()
    assert process.returncode == 9
    job = Job.objects.get()
    assert job.state == Job.State.QUEUED
    start()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=1)


@pytest.mark.parametrize("harm", ["gone", "frozen"])
def test_f7_broker_down_at_submit(broker: Broker, start: Start, harm: str) -> None:
    assert broker.process is not None
    broker.kill() if harm == "gone" else broker.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    job = submit()
    assert time.monotonic() - begun < 2
    assert fresh(job).state == Job.State.QUEUED
    broker.start() if harm == "gone" else broker.process.send_signal(signal.SIGCONT)
    start()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=1)


def test_f8_broker_forgets_everything(broker: Broker, start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.05")
    start()
    running = submit()
    until(in_the_middle_of(running))
    waiting = submitted(b"\n".join(good_lines(170)[160:]))
    broker.forget_everything()
    until(ended(running, waiting), meanwhile=sweeper.sweep)
    assert counts(waiting) == {"read": 10, "new": 10}
    assert Record.objects.count() == 170
    assert counts(running) == UNDISTURBED


def test_f8_broker_killed_without_its_messages(
    broker: Broker, start: Start, slow_chunks: Callable[[str], None]
) -> None:
    slow_chunks("0.05")
    start()
    job = submit()
    until(in_the_middle_of(job))
    broker.kill()
    broker.start()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=1)


def test_f21_session_ended_by_the_database_in_mid_chunk(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.1")
    worker, job = start(), submit()
    until(in_the_middle_of(job))
    assert end_sessions() >= 1
    until(ended(job), meanwhile=sweeper.sweep)
    assert worker.said("try 1: OperationalError")
    assert_as_if_nothing_had_happened(job, attempt=1)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"TASK_SOFT_SECONDS": "2", "TASK_SECONDS": "60"}, "SoftTimeLimitExceeded"),
        ({"TASK_SOFT_SECONDS": "2", "TASK_SECONDS": "2"}, "Hard time limit"),
    ],
    ids=["soft", "hard"],
)
def test_f28_time_limit_hit_in_mid_job(
    start: Start, slow_chunks: Callable[[str], None], limits: dict[str, str], said: str
) -> None:
    assert "ingest.tasks.run_job" in current_app.tasks, "else this process has no limits of its own to send along"
    slow_chunks("0.25")
    worker, job = start(**limits), submit()
    until(ended(job), meanwhile=sweeper.sweep)
    until(lambda: worker.said(said))
    assert fresh(job).fence >= 2
    assert_as_if_nothing_had_happened(job, attempt=fresh(job).attempt)


def test_f29_lines_that_would_fill_the_memory(start: Start) -> None:
    worker = start()
    first = submitted(good_lines(161)[160])
    until(ended(first), meanwhile=sweeper.sweep)
    [child] = worker.pool()
    room = psutil.Process(child).memory_info().vms + (96 << 20)
    resource.prlimit(child, resource.RLIMIT_AS, (room, room))
    hogs = [b'{"instruction": "' + b"x" * (150 << 20), b"[" * (1 << 20), b'{"a":' * 200_000]
    job = submitted(b"\n".join([GOOD[0], hogs[0], GOOD[1], hogs[1], hogs[2], GOOD[2]]))
    other = submitted(good_lines(162)[161])
    until(ended(job, other), meanwhile=sweeper.sweep)
    assert (fresh(job).state, counts(job)) == (Job.State.DONE, {"read": 6, "new": 3, "rejected": 3})
    assert counts(other) == {"read": 1, "new": 1}
    assert worker.pool() == [child]


def test_f32_worker_asked_to_stop_in_mid_job(start: Start, slow_chunks: Callable[[str], None]) -> None:
    slow_chunks("0.1")
    worker, job = start(), submit()
    until(in_the_middle_of(job))
    worker.process.terminate()
    assert worker.process.wait(timeout=20) == 0
    job = fresh(job)
    assert job.state == Job.State.QUEUED
    assert 30 <= job.cursor_line < len(LINES)
    start()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=1)


@pytest.mark.usefixtures("_first_chunks_meet")
def test_two_imports_of_the_same_file_at_once(start: Start) -> None:
    first, second = submit(), submit()
    worker = start(processes=2)
    until(ended(first, second), meanwhile=sweeper.sweep)
    assert [fresh(job).state for job in (first, second)] == ["done", "done"]
    assert counts(first)["read"] == counts(second)["read"] == 164
    assert sum(counts(job).get("new", 0) for job in (first, second)) == len(GOOD) == Record.objects.count()
    assert worker.said("IntegrityError")


def test_killed_command_is_resumed_by_a_worker_or_by_another_command(
    broker: Broker, start: Start, slow_chunks: Callable[[str], None], folder: Path
) -> None:
    slow_chunks("0.1")
    path = folder / "a.jsonl"
    path.write_bytes(CONTENT)
    process = command(broker, "-m", "django", "ingest", str(path), "--source", "ruozhiba")
    job = until(Job.objects.all)[0]
    until(in_the_middle_of(job))
    kill(process)
    resumed = command(broker, "-m", "django", "ingest", "--resume", str(job.pk), "--json")
    until(lambda: fresh(job).attempt == 2)
    kill(resumed)
    start()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_as_if_nothing_had_happened(job, attempt=3)


def assert_the_outcome_is_that_of_one_run(job: Job) -> None:
    """As above, but for the chunks: where several share a job, those are its parts."""
    assert (fresh(job).state, counts(job)) == (Job.State.DONE, UNDISTURBED)
    assert list(Duplicate.objects.order_by("line").values_list("line", flat=True)) == [102, 163]
    assert list(Reject.objects.order_by("line").values_list("line", flat=True)) == [101, 164]
    assert list(Original.objects.order_by("pk").values_list("line", flat=True)) == sorted(
        {*range(1, 165)} - {101, 102, 163, 164}
    )
    ends = list(job.chunks.order_by("number").values_list("first_offset", "end_offset"))
    assert [first for first, _end in ends] == [0, *[end for _first, end in ends[:-1]]]


def test_two_workers_share_a_job(
    start: Start, slow_chunks: Callable[[str], None], settings: Settings, broker: Broker
) -> None:
    settings.INGEST_WORKERS_PER_JOB = 2
    slow_chunks("0.02")
    worker, job = start(processes=2), submit()
    until(ended(job), meanwhile=sweeper.sweep)
    assert_the_outcome_is_that_of_one_run(job)
    assert worker.said("join_job")


@pytest.mark.parametrize("victim", [0, 1])
def test_one_of_two_workers_that_share_a_job_is_killed(
    start: Start, slow_chunks: Callable[[str], None], settings: Settings, victim: int
) -> None:
    settings.INGEST_WORKERS_PER_JOB = 2
    slow_chunks("0.05")
    worker, job = start(processes=2), submit()
    until(in_the_middle_of(job))
    os.kill(worker.pool()[victim], signal.SIGKILL)
    until(ended(job), meanwhile=sweeper.sweep)
    assert_the_outcome_is_that_of_one_run(job)


def test_command_with_two_workers(broker: Broker, folder: Path) -> None:
    path = folder / "a.jsonl"
    path.write_bytes(CONTENT)
    process = command(broker, "-m", "django", "ingest", str(path), "--source", "ruozhiba", "--workers", "2", "--json")
    out, said = process.communicate()
    assert process.returncode == 0, said
    assert json.loads(out)["new"] == 160
    assert_the_outcome_is_that_of_one_run(Job.objects.get())


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
