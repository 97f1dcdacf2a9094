"""Several runs share one job: the outcome is that of a single one, whoever prepares what, and whoever dies."""

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from ingest import parts, pipeline
from ingest.models import Chunk, Job, Part
from ingest.parts import Excerpt, cut
from ingest.pipeline import Outcome
from review.models import Duplicate, Original, Record, Revision
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import counts, fresh, imported, submitted

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.core, pytest.mark.timeout(90)]

LINES = good_lines(60)
REWORDED = [line(record(number) | {"id": f"n{number % 7}"}) for number in range(200, 230)]
FIRST = b"\xef\xbb\xbf" + b"\r\n".join([*LINES[:40], b"", b"[]", LINES[3], *REWORDED, b"{"]) + b"\n"
SECOND = b"\n\n" + b"\n".join([*LINES[30:], LINES[0], line(record(999) | {"id": "n3"})])
FILES = (FIRST, b"", SECOND, b"\n")
READ = 105


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.INGEST_LEASE /= 10
    settings.INGEST_PART_BYTES = 2000
    monkeypatch.setattr(pipeline, "TURN_POLL_SECONDS", 0.001)


def stored() -> list[tuple[Any, ...]]:
    """All that the import left behind, without ids."""
    records = Record.objects.order_by("pk").values_list("external_id", "state", "revision__instruction")
    revisions = Revision.objects.order_by("pk").values_list("number", "instruction")
    originals = Original.objects.order_by("pk").values_list("line", "offset", "raw")
    repeated = Duplicate.objects.order_by("pk").values_list("line", "offset", "record__revision__instruction")
    return [*records, *revisions, *((a, b, bytes(c)) for a, b, c in originals), *repeated]


def refused(job: Job) -> list[dict[str, Any]]:
    """The rejects file without its sentences: they are in the language of the thread that writes it."""
    lines = job.rejects_path.read_bytes().split(b"\n")[:-1]
    return [orjson.loads(each) | {"message": ""} for each in lines]


def together(job: Job, number: int) -> list[Outcome]:
    """Do a job by so many runs at once; what each ended with."""
    outcomes: list[Outcome] = []
    others: list[threading.Thread] = []

    def help_out() -> None:
        try:
            outcomes.append(pipeline.join(job.pk))
        finally:
            connection.close()

    def invite() -> None:
        others.extend(threading.Thread(target=help_out) for _other in range(number - 1))
        for other in others:
            other.start()

    outcomes.append(pipeline.run(job.pk, invite=invite))
    for other in others:
        other.join()
    return outcomes


@pytest.fixture
def undisturbed() -> tuple[list[tuple[Any, ...]], dict[str, int], list[Any]]:
    """What one run alone makes of the files, which is then taken away."""
    job = imported(*FILES)
    return stored(), counts(job), refused(job)


def again() -> Job:
    """The same files in a database that has not seen them."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in ("review_record", "review_revision", "review_original", "review_duplicate"):
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET session_replication_role = origin")
    return submitted(*FILES)


def test_who_ends_while_another_enters_the_last_part_leaves_the_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    job, are_left = submitted(*FILES), iter([True])
    monkeypatch.setattr(parts, "are_left", lambda _job: next(are_left, False))
    assert pipeline.run(job.pk, invite=lambda: None) == Outcome.HELPED
    assert fresh(job).state == Job.State.RUNNING
    assert pipeline.join(job.pk) == Outcome.ENDED
    assert (fresh(job).state, counts(job)["read"]) == (Job.State.DONE, READ)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_any_number_of_runs_leaves_behind_what_one_does(
    undisturbed: tuple[list[tuple[Any, ...]], dict[str, int], list[Any]], number: int
) -> None:
    expected, counted, rejects = undisturbed
    assert counted["changed"] == 24
    assert counted["duplicate"] == 12
    job = again()
    outcomes = together(job, number)
    assert outcomes.count(Outcome.ENDED) == 1
    assert (fresh(job).state, counts(job)) == ("done", counted)
    assert stored() == expected
    assert refused(job) == rejects
    assert not Part.objects.exists()
    chunks = list(job.chunks.order_by("number"))
    assert [chunk.number for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert [chunk.end_offset for chunk in chunks if chunk.file == 1][-1] == len(FIRST)
    for earlier, later in pairwise([chunk for chunk in chunks if chunk.file == 1]):
        assert (earlier.end_offset, earlier.last_line + 1) == (later.first_offset, later.first_line)


def interrupted_at(job: Job, chunk: int, harm: Callable[[], object]) -> Outcome:
    """Do the job in a shared run, and do harm after so many chunks."""
    passed: list[Chunk] = []

    def on_chunk(one: Chunk) -> None:
        passed.append(one)
        if len(passed) == chunk:
            harm()

    return pipeline.run(job.pk, invite=lambda: None, on_chunk=on_chunk)


def test_part_left_by_a_run_that_died_is_taken_over(settings: Settings) -> None:
    job = submitted(*FILES)

    def die_with_a_part() -> None:
        left = parts.claim(fresh(job), pipeline._files(fresh(job)))
        assert left is not None
        Part.objects.filter(pk=left.pk).update(lease_until="2020-01-01T00:00Z")

    assert interrupted_at(job, 2, die_with_a_part) == Outcome.ENDED
    assert (fresh(job).state, counts(job)["read"]) == ("done", READ)


def test_run_that_waits_takes_over_what_stands_in_its_way(settings: Settings) -> None:
    settings.INGEST_LEASE /= 20
    job = submitted(*FILES)
    assert interrupted_at(job, 2, lambda: parts.claim(fresh(job), pipeline._files(fresh(job)))) == Outcome.ENDED
    assert (fresh(job).state, counts(job)["read"]) == ("done", READ)


def test_run_that_overslept_finds_its_part_taken_in() -> None:
    job = submitted(*FILES)
    Job.objects.filter(pk=job.pk).take()
    held = fresh(job)
    pipeline._recognise(held)
    files = pipeline._files(held)
    mine = parts.claim(held, files)
    assert mine is not None
    Part.objects.filter(pk=mine.pk).update(lease_until="2020-01-01T00:00Z")
    theirs = parts.claim(held, files)
    assert theirs == mine
    portion = pipeline.portion_of(mine, files, pipeline.Stages.of(held.batch.source))
    assert pipeline._save(held, portion, part=theirs) is not None
    with pytest.raises(pipeline.Overtaken):
        pipeline._save(held, portion, part=mine)
    assert counts(job)["read"] == portion.read


def test_part_waits_for_what_stands_before_it() -> None:
    job = submitted(*FILES)
    Job.objects.filter(pk=job.pk).take()
    held = fresh(job)
    pipeline._recognise(held)
    files = pipeline._files(held)
    parts.claim(held, files)
    second = parts.claim(held, files)
    assert second is not None
    portion = pipeline.portion_of(second, files, pipeline.Stages.of(held.batch.source))
    with pytest.raises(pipeline.TooEarly):
        pipeline._save(held, portion, part=second)
    assert parts.are_left(held)
    assert counts(job) == {}
    Job.objects.filter(pk=job.pk).end(Job.State.CANCELLED)
    with pytest.raises(pipeline.Lost):
        pipeline._save(held, portion, part=second)


def test_stopped_run_leaves_the_job_to_the_next_or_to_those_that_share_it() -> None:
    job = submitted(*FILES)
    assert pipeline.run(job.pk, invite=lambda: None, should_stop=lambda: True) == Outcome.INTERRUPTED
    assert fresh(job).state == "queued"

    def another_holds_a_part() -> None:
        assert parts.claim(fresh(job), pipeline._files(fresh(job))) is not None

    passed: list[Chunk] = []

    def on_chunk(one: Chunk) -> None:
        passed.append(one)
        another_holds_a_part()

    found = pipeline.run(job.pk, invite=lambda: None, on_chunk=on_chunk, should_stop=lambda: bool(passed))
    assert found == Outcome.HELPED
    assert (fresh(job).state, len(passed)) == ("running", 1)
    Job.objects.filter(pk=job.pk).update(lease_until="2020-01-01T00:00Z")
    assert pipeline.run(job.pk) == Outcome.ENDED
    assert counts(job)["read"] == READ


def test_nobody_joins_a_job_that_is_not_shared() -> None:
    job = submitted(*FILES)
    assert pipeline.join(job.pk) == Outcome.NOT_HELD
    Job.objects.filter(pk=job.pk).take()
    assert pipeline.join(job.pk) == Outcome.NOT_HELD
    assert pipeline.join(4711) == Outcome.NOT_HELD


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(b"[" + b",".join(LINES) + b"]", ""), (b"\n".join(LINES).decode().encode("utf-16"), "utf-16")],
)
def test_file_that_cannot_be_cut_is_read_by_one(content: bytes, encoding: str) -> None:
    job = submitted(content, encoding=encoding)
    invited: list[int] = []
    assert pipeline.run(job.pk, invite=lambda: invited.append(1)) == Outcome.ENDED
    assert (counts(job), invited) == ({"read": 60, "new": 60}, [])


def test_file_in_a_narrow_encoding_is_shared() -> None:
    job = submitted(b"\n".join(LINES).decode().encode("gb18030"), encoding="gb18030")
    invited: list[int] = []
    assert pipeline.run(job.pk, invite=lambda: invited.append(1)) == Outcome.ENDED
    assert (counts(job), invited) == ({"read": 60, "new": 60}, [1])


def test_small_job_is_not_worth_sharing(settings: Settings) -> None:
    settings.INGEST_PART_BYTES = len(FIRST + SECOND) // 3
    job = submitted(*FILES)
    invited: list[int] = []
    assert pipeline.run(job.pk, invite=lambda: invited.append(1)) == Outcome.ENDED
    assert not invited


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"\n\n\n", b"ab\ncd\n\nefgh", b"abcdefgh\ni\r\nj\n"])
def test_cuts_lie_after_line_feeds_and_count_lines(
    tmp_path: Path, content: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK_BYTES", 2)
    path = tmp_path / "f"
    path.write_bytes(content)
    begin, lines = 0, 0
    while begin < len(content):
        end, more = cut(path, begin, size)
        assert end - begin >= size or end == len(content)
        assert content[end - 1 : end] == b"\n" or end == len(content)
        assert b"\n" not in content[begin + size - 1 : end - 1]
        lines += more
        begin = end
    assert lines == len(content.split(b"\n")) - (content.endswith(b"\n") or not content)


def test_excerpt_ends_where_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    with path.open("rb") as stream:
        excerpt = Excerpt(stream, 7)
        excerpt.seek(2)
        assert [excerpt.read(4), excerpt.read(4), excerpt.read(4)] == [b"2345", b"6", b""]
