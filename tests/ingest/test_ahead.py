"""The next item is made beside the last one: in a thread, or in a process that ends with whoever began it."""

import gzip
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from ingest import pipeline, portions
from ingest.ahead import Died, InProcess, InThread
from ingest.document import Unreadable
from ingest.models import Chunk, Job
from review import retractions
from review.models import Flag, Original, Record, Revision
from tests.faults.processes import until
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import counts, fresh, imported, submitted


def failing() -> Iterator[int]:
    yield 1
    raise Unreadable("damaged", kind="gzip")


def its_own_process() -> Iterator[int]:
    yield os.getpid()
    time.sleep(60)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_process_makes_the_items_in_their_order() -> None:
    with closing(InProcess(iter(range(1, 100)))) as made:
        assert list(made) == list(range(1, 100))


def test_what_making_an_item_raises_is_raised_by_who_takes_it() -> None:
    with closing(InProcess(failing())) as made:
        assert next(made) == 1
        with pytest.raises(Unreadable) as raised:
            next(made)
    assert (raised.value.code, raised.value.parameters) == ("damaged", {"kind": "gzip"})


def test_a_process_that_is_killed_is_missed() -> None:
    with closing(InProcess(its_own_process())) as made:
        os.kill(next(made), signal.SIGKILL)
        with pytest.raises(Died):
            next(made)


def test_a_process_ends_when_nobody_takes_its_items_any_more() -> None:
    with closing(InProcess(its_own_process())) as made:
        pid = next(made)
    assert not is_there(pid)


def test_a_process_ends_with_the_one_that_began_it() -> None:
    def items() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 20)

    told, tell = os.pipe()
    if not (child := os.fork()):  # it is killed before it could come back
        made = InProcess(items())
        next(made)
        os.write(tell, str(made.pid).encode())
        time.sleep(60)
    beside = int(os.read(told, 20))
    assert is_there(beside)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    until(lambda: not is_there(beside))


def test_while_the_next_item_takes_its_time_something_else_is_done() -> None:
    def slow() -> Iterator[str]:
        until(lambda: calls)
        yield "late"

    calls: list[None] = []
    with InThread(slow(), patience=0.01) as ahead:
        assert ahead.take(meanwhile=lambda: calls.append(None)) == "late"
        assert ahead.take(meanwhile=lambda: None) is None


@pytest.fixture
def always_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare even small files in a process of its own."""
    monkeypatch.setattr(pipeline, "WORTH_A_PROCESS", 0)


def stored(job: Job) -> list[object]:
    """All that came in with a job, but for the numbers of rows."""
    of = {"record__batch": job.batch_id}
    return [
        list(Record.objects.filter(batch=job.batch_id).order_by("key").values_list("key", "state", "external_id")),
        list(Revision.objects.filter(**of).order_by("record__key").values_list("instruction", "output", "sha256")),
        list(Original.objects.filter(**of).order_by("line").values_list("line", "offset", "raw", "repairs")),
        list(Flag.objects.filter(**of).order_by("record__key", "rule").values_list("rule", "spans")),
        [[getattr(chunk, name) for name in CHUNK] for chunk in job.chunks.order_by("number")],
        counts(job),
    ]


CHUNK = [field.name for field in Chunk._meta.fields if field.name not in {"id", "job", "at"}]


LINES = [
    *good_lines(7),
    b"[]",
    good_lines(1)[0],
    line(record(8) | {"output": "加微信号：abc_12345，\u00a0打 13812345678。 "}),
    line(record(9) | {"output": "乱码\ufffd\ufffd了。", "votes": 3}),
    line(record(10) | {"output": "有\u00a0空格。", "votes": 3, "rank": 1}),
]


@pytest.mark.core
@pytest.mark.django_db
@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_an_import_is_the_same_whether_prepared_in_a_process_or_not(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, pieces: int
) -> None:
    settings.INGEST_CHUNK_RECORDS = 4
    files, rules = (
        [b"\n".join(LINES), b"\n".join(good_lines(6)[3:])],
        ["plain_spaces", "trim_blanks", "drop_lost_characters"],
    )
    job = imported(*files, rules=rules)
    alone = stored(job)
    retractions.retract(job.batch, by=None, reason="")
    monkeypatch.setattr(pipeline, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr(pipeline, "PIECE_RECORDS", pieces)
    beside = imported(*files, rules=rules)
    assert stored(beside) == alone
    assert [chunk.read for chunk in beside.chunks.order_by("number")] == [4, 4, 4, 3]
    assert counts(beside) == {"read": 15, "new": 9, "duplicate": 4, "dropped": 1, "rejected": 1}
    assert (beside.unknown_keys(), beside.tally()["repair"]["plain_spaces"]) == ({"votes": 1, "rank": 1}, 2)


@pytest.mark.core
@pytest.mark.django_db
def test_what_a_process_has_read_before_a_break_is_taken_in(
    always_beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "PIECE_RECORDS", 2)
    whole = gzip.compress(b"\n".join(good_lines(200)))
    job = imported(whole[: len(whole) // 2])
    assert (job.state, job.error_code) == (Job.State.FAILED, "archive_cut_off")
    assert 0 < counts(job)["new"] < 200


@pytest.mark.core
@pytest.mark.django_db
def test_a_job_whose_process_is_killed_goes_on_with_the_next_run(always_beside: None, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 3
    job = submitted(b"\n".join(LINES))

    def kill(_chunk: Chunk) -> None:
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            if Path(f"/proc/{child}/cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)

    with suppress(Died):  # all may have been made already
        pipeline.run(job.pk, on_chunk=kill)
    assert fresh(job).state in {Job.State.QUEUED, Job.State.DONE}
    pipeline.run(job.pk)
    assert fresh(job).state == Job.State.DONE
    assert counts(job) == {"read": 12, "new": 10, "duplicate": 1, "rejected": 1}


@pytest.mark.core
@pytest.mark.django_db
def test_the_first_unknown_keys_are_named_whichever_piece_they_stand_in(
    always_beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "MAX_UNKNOWN_KEYS", 2)
    monkeypatch.setattr(pipeline, "PIECE_RECORDS", 1)
    keys = [{"a": 1, "b": 1}, {"c": 1, "d": 1, "a": 1}, {"d": 1, "b": 1}]
    given = [line(record(number) | more) for number, more in enumerate(keys)]
    assert imported(b"\n".join(given)).unknown_keys() == {"a": 2, "b": 2}
