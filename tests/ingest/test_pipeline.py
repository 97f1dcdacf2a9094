"""Doing a job: every record is accounted for, whatever stands in the files and whatever goes wrong on the way."""

import hashlib
import json
import logging
from errno import ENOSPC
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import translation
from pytest_django.fixtures import Settings

from ingest import jobs, pipeline, portions, rejects
from ingest.models import MAX_FRUITLESS_RUNS, Chunk, Job, Reject
from ingest.pipeline import Outcome
from review import intake
from review.models import Duplicate, Record, Revision, Source
from tests.ingest.faulty_lines import faulty_lines, good_lines, line, record
from tests.ingest.importing import counts, fresh, imported, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]

BLANK_LINE = b"\n"


def joined(lines: list[bytes]) -> bytes:
    return b"".join(each + b"\n" for each in lines)


TEN = joined(good_lines(10))


@pytest.fixture
def small_chunks(settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 3


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow one another without a pause."""
    monkeypatch.setattr("ingest.pipeline.time.sleep", lambda _seconds: None)


def breaking(monkeypatch: pytest.MonkeyPatch, error: Exception, *, times: int = 99, after: int = 0) -> None:
    """Let `add_records` fail that often, after it has done its work; the first few times it succeeds."""
    add_records, to_come = intake.add_records, iter([None] * after + [error] * times)

    def broken(*given: Any, **named: Any) -> intake.Counted:
        counted = add_records(*given, **named)
        if trouble := next(to_come, None):
            raise trouble
        return counted

    monkeypatch.setattr(intake, "add_records", broken)


@pytest.mark.parametrize("size", [1, 4, 2000])
def test_counts_do_not_depend_on_chunks_or_files(settings: Settings, size: int) -> None:
    settings.INGEST_CHUNK_RECORDS = size
    lines = good_lines(10)
    content = joined([*lines[:6], lines[2], b"[]", *lines[4:]])
    job = imported(content, joined(lines[8:] + good_lines(12)[10:]))
    assert job.state == Job.State.DONE
    assert counts(job) == {"read": 18, "new": 12, "duplicate": 5, "rejected": 1}
    assert (Record.objects.count(), Duplicate.objects.count(), Reject.objects.count()) == (12, 5, 1)


def test_chunks_follow_one_another_without_a_gap(small_chunks: None) -> None:
    job = imported(TEN, BLANK_LINE + TEN)
    chunks = list(job.chunks.order_by("number"))
    assert [(chunk.number, chunk.file, chunk.first_line, chunk.last_line) for chunk in chunks] == [
        (1, 1, 1, 3), (2, 1, 4, 6), (3, 1, 7, 9), (4, 1, 10, 10),
        (5, 2, 2, 4), (6, 2, 5, 7), (7, 2, 8, 10), (8, 2, 11, 11),
    ]  # fmt: skip
    assert [chunk.read for chunk in chunks] == [3, 3, 3, 1] * 2
    for earlier, later in pairwise(chunks[:4]):
        assert earlier.end_offset == later.first_offset
    for chunk in chunks[:4]:
        lines = TEN[chunk.first_offset : chunk.end_offset].splitlines()
        hashes = b"".join(hashlib.sha256(line).digest() for line in lines)
        assert bytes(chunk.sha256) == hashlib.sha256(hashes).digest()
    assert chunks[3].end_offset == len(TEN)


def test_chunk_ends_when_it_grows_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "CHUNK_BYTES", len(TEN) // 3)
    assert [chunk.read for chunk in imported(TEN).chunks.order_by("number")] == [4, 4, 2]


def test_faulty_lines_are_refused_one_by_one_and_the_good_ones_are_in() -> None:
    faulty = [(each, code) for each, code in faulty_lines()[:-50] if len(each) < 1 << 20][::2]
    assert len({code for _line, code in faulty}) >= 20
    good = good_lines(len(faulty))
    content = joined([each for pair in zip([each for each, _code in faulty], good, strict=True) for each in pair])
    job = imported(content)
    assert counts(job) == {"read": 2 * len(good), "new": len(good), "rejected": len(good)}
    assert set(Revision.objects.values_list("instruction", flat=True)) == {
        json.loads(each)["instruction"] for each in good
    }
    entries = [orjson.loads(each) for each in job.rejects_path.read_bytes().split(b"\n")[:-1]]
    assert [entry["line"] for entry in entries] == [2 * position + 1 for position in range(len(faulty))]
    assert [entry["code"] for entry in entries] == [code for _line, code in faulty]
    for entry, (each, _code) in zip(entries, faulty, strict=True):
        assert content[entry["offset"] :].startswith(each)
        assert entry["message"]
        assert entry["cut"] or "raw_base64" in entry or entry["raw"].encode() == each


def test_array_of_question_and_answer_gets_the_labels_of_its_source() -> None:
    pairs = [{"instruction": f"第{number}题", "output": "答"} for number in range(3)]
    job = imported(json.dumps(pairs, ensure_ascii=False, indent=1).encode(), source="kaoyan")
    assert counts(job) == {"read": 3, "new": 3}
    assert job.uploads.get().format == "alpaca"
    assert {text.answer_from for text in Revision.objects.all()} == {"human"}
    assert {text.task_type["major"][0] for text in Revision.objects.all()} == set(
        Source.objects.get(slug="kaoyan").major
    )


def test_claim_of_verification_in_the_file_is_kept_and_not_believed() -> None:
    imported(line(record(1) | {"human_verified": True}))
    found = Record.objects.get()
    assert (found.human_verified, found.state) == (False, "waiting")
    assert found.originals.get().claimed_human_verified is True


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n \n"])
def test_file_without_records_is_done(content: bytes) -> None:
    job = imported(content)
    assert (job.state, counts(job), job.chunks.count()) == ("done", {}, 0)


def test_unknown_keys_are_counted_by_name(monkeypatch: pytest.MonkeyPatch, small_chunks: None) -> None:
    monkeypatch.setattr(portions, "MAX_UNKNOWN_KEYS", 2)
    given = [record(number) | {"votes": 1} | ({f"k{number}": 1} if number < 3 else {}) for number in range(6)]
    job = imported(joined([line(each) for each in given]))
    assert job.unknown_keys() == {"votes": 6, "k0": 1}


def test_stopped_job_goes_on_where_it_was(small_chunks: None) -> None:
    job = submitted(TEN, joined(good_lines(14)[10:]))
    outcomes = []
    for _turn in range(6):
        outcomes.append(pipeline.run(job.pk, should_stop=lambda: True))
        job = fresh(job)
        assert job.state == Job.State.QUEUED
    assert set(outcomes) == {Outcome.INTERRUPTED}
    assert (job.cursor_file, job.cursor_line, job.attempt) == (2, 4, 1)
    assert pipeline.run(job.pk) == Outcome.ENDED
    assert counts(job) == {"read": 14, "new": 14}
    assert fresh(job).fence == 7


def test_job_that_is_done_or_held_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    done, held = imported(TEN), submitted(TEN)
    Job.objects.filter(pk=held.pk).take()
    with caplog.at_level(logging.INFO):
        assert [pipeline.run(job.pk) for job in (done, held)] == [Outcome.NOT_HELD] * 2
    assert caplog.text.count("duplicate delivery") == 2
    assert not held.chunks.exists()


def test_run_whose_lease_ran_out_loses_to_the_next_by_the_fence(small_chunks: None) -> None:
    job = submitted(TEN)

    def oversleep(_chunk: Chunk) -> None:
        Job.objects.filter(pk=job.pk).update(lease_until="2020-01-01T00:00Z")
        assert Job.objects.filter(pk=job.pk).take() == 1

    assert pipeline.run(job.pk, on_chunk=oversleep) == Outcome.NOT_HELD
    job = fresh(job)
    assert (job.state, job.fence, job.attempt, job.cursor_line) == ("running", 2, 2, 3)
    assert Record.objects.count() == 3


def test_cancelled_job_stops_after_the_chunk(small_chunks: None) -> None:
    job = submitted(TEN)
    assert pipeline.run(job.pk, on_chunk=lambda _chunk: jobs.cancel(job, by=None)) == Outcome.NOT_HELD
    assert (fresh(job).state, counts(job)) == ("cancelled", {"read": 3, "new": 3})


@pytest.mark.parametrize("error", [IntegrityError("race for a key"), OperationalError("deadlock detected")])
def test_chunk_is_tried_again_after_what_passes(
    monkeypatch: pytest.MonkeyPatch, at_once: None, small_chunks: None, error: Exception
) -> None:
    breaking(monkeypatch, error, times=2)
    assert counts(imported(TEN)) == {"read": 10, "new": 10}
    assert Record.objects.count() == 10


def test_chunk_whose_commit_was_not_heard_of_is_not_taken_in_twice(
    monkeypatch: pytest.MonkeyPatch, at_once: None, small_chunks: None
) -> None:
    take_in, left = pipeline._take_in, [OperationalError("server closed the connection unexpectedly")]

    def unheard(*given: Any) -> Chunk | None:
        chunk = take_in(*given)
        if left:
            raise left.pop()
        return chunk

    monkeypatch.setattr(pipeline, "_take_in", unheard)
    job = submitted(TEN)
    assert pipeline.run(job.pk) == Outcome.ENDED
    assert not left
    assert counts(job) == {"read": 10, "new": 10}
    assert job.chunks.count() == 4


@pytest.mark.parametrize("last", [3, 4])
def test_chunks_that_the_database_has_lost_in_a_crash_are_read_again(small_chunks: None, last: int) -> None:
    """It need not wait for the disk at a chunk, and a pooler may hide that the server was away."""
    job, crashed = submitted(TEN), []

    def crash(chunk: Chunk) -> None:
        if chunk.number == 1:
            crashed.append(transaction.savepoint_create())
        elif chunk.number == last and len(crashed) == 1:
            transaction.savepoint_rollback(crashed[0])
            crashed.append("")

    while pipeline.run(job.pk, on_chunk=crash) == Outcome.INTERRUPTED:
        assert fresh(job).state == Job.State.QUEUED
    assert len(crashed) == 2
    assert (fresh(job).state, counts(job)) == (Job.State.DONE, {"read": 10, "new": 10})
    assert list(job.chunks.order_by("number").values_list("first_line", "last_line")) == [
        (1, 3),
        (4, 6),
        (7, 9),
        (10, 10),
    ]


@pytest.mark.parametrize("error", [OperationalError("no connection"), ValueError("a failure of the program")])
def test_run_that_cannot_go_on_queues_the_job_again(
    monkeypatch: pytest.MonkeyPatch, at_once: None, error: Exception
) -> None:
    breaking(monkeypatch, error)
    job = submitted(TEN)
    with pytest.raises(type(error)):
        pipeline.run(job.pk)
    job = fresh(job)
    assert (job.state, job.lease_until, job.fruitless_runs) == ("queued", None, 1)
    assert type(error).__name__ in job.error
    assert not Record.objects.exists()
    monkeypatch.undo()
    pipeline.run(job.pk)
    assert (fresh(job).state, fresh(job).error, counts(job)) == ("done", "", {"read": 10, "new": 10})


def test_job_without_progress_is_set_aside_with_the_reason(monkeypatch: pytest.MonkeyPatch, small_chunks: None) -> None:
    job = submitted(TEN)
    breaking(monkeypatch, ValueError("poison"), after=1)
    with pytest.raises(ValueError, match="poison"):
        pipeline.run(job.pk)
    for _run in range(MAX_FRUITLESS_RUNS - 1):
        with pytest.raises(ValueError, match="poison"):
            pipeline.run(job.pk)
    assert pipeline.run(job.pk) == Outcome.NOT_HELD
    job = fresh(job)
    assert job.state == Job.State.QUARANTINED
    assert "a.jsonl" in job.error
    assert "line 3" in job.error
    assert "ValueError" in job.error
    assert counts(job) == {"read": 3, "new": 3}


def test_one_unreadable_file_fails_the_job_before_anything_is_in() -> None:
    job = imported(TEN, b"\x89PNG\r\n\x1a\n")
    assert (job.state, job.error_code, counts(job)) == ("failed", "not_text", {})
    assert not Record.objects.exists()


def test_stored_file_that_is_gone_is_named_as_it_was_given() -> None:
    job = submitted(TEN)
    job.uploads.get().path.unlink()
    assert pipeline.run(job.pk) == Outcome.ENDED
    assert (fresh(job).state, fresh(job).error_code) == ("failed", "cannot_open")
    assert "a.jsonl" in fresh(job).error


def test_file_that_is_gone_between_two_turns_fails_the_job(small_chunks: None) -> None:
    job = submitted(TEN)
    pipeline.run(job.pk, should_stop=lambda: True)
    job.uploads.get().path.unlink()
    assert pipeline.run(job.pk) == Outcome.ENDED
    assert (fresh(job).state, fresh(job).error_code, counts(job)) == ("failed", "disk", {"read": 3, "new": 3})


def test_full_disk_fails_the_job_and_it_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_job: Job) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(rejects, "write", full)
        job = imported(TEN + b"[]")
    assert (job.state, job.error_code) == ("failed", "disk")
    assert "No space left" in job.error
    jobs.resume(job, by=None, tell_workers=False)
    assert pipeline.run(job.pk) == Outcome.ENDED
    assert (fresh(job).state, counts(job)) == ("done", {"read": 11, "new": 10, "rejected": 1})
    assert job.rejects_path.exists()


def test_rehearsal_counts_like_the_import_and_writes_nothing(small_chunks: None, tmp_path: Path) -> None:
    content = TEN + good_lines(1)[0] + b"\n[]\n"
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    source = Source.objects.get(slug="ruozhiba")
    portions = list(pipeline.rehearse([path, path], source=source))
    assert not Record.objects.exists()
    assert sum(portion.read for portion, _counted in portions) == 24
    assert sum(counted.new for _portion, counted in portions) == 10
    assert sum(counted.duplicate for _portion, counted in portions) == 12
    assert counts(imported(content, content)) == {"read": 24, "new": 10, "duplicate": 12, "rejected": 2}


def test_job_of_a_source_with_unsound_templates_fails_with_the_reason() -> None:
    Source.objects.filter(slug="mba").update(templates={"concept": ["请介绍《{title}》。"] * 5})
    job = imported(TEN, source="mba")
    assert (job.state, job.error_code, counts(job)) == ("failed", "doubled_marks", {})
    assert "bring their own" in job.error


def test_a_job_that_failed_before_kinds_had_two_names_is_told_all_the_same() -> None:
    job = submitted(TEN, source="mba")
    for code in ("too_few", "unknown_kind"):
        told = {"kind": "concept", "number": 2, "least": 5, "known": "concept, entry"}
        Job.objects.filter(pk=job.pk).end(Job.State.FAILED, error_code=code, **told)
        with translation.override("zh-hans"):
            assert "concept" in fresh(job).error
