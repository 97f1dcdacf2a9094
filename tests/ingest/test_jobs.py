"""Asking for imports: what is stored, who may, and what is refused before anything is written."""

import hashlib
import io
import logging
import threading
import time
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.db import connection
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks, Settings

from ingest import jobs, pipeline
from ingest.models import Job
from review.models import Batch, Record, Retraction, Rights, Source, User
from review.refused import Ground, Refused
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import counts, fresh, imported, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]

TEN = b"\n".join(good_lines(10))


def refused(call: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value


def test_files_are_stored_whole_under_names_of_our_own(uploads: Path, gao: User) -> None:
    job = submitted(TEN, b"", by=gao)
    first, second = job.uploads.order_by("number")
    assert (first.path.parent, first.path.read_bytes(), second.path.read_bytes()) == (uploads, TEN, b"")
    assert (first.size, bytes(first.sha256)) == (len(TEN), hashlib.sha256(TEN).digest())
    assert (job.state, job.by, job.batch.by, job.batch.name) == ("queued", gao, gao, "a.jsonl (+1)")
    assert job.dispatched_at is not None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\资料\\问答.jsonl", "问答.jsonl"),
        ("a\r\nSet-Cookie: x", r"a\r\nSet-Cookie: x"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("汉" * 300, "汉" * 200),
        ("/", "-"),
    ],
)
def test_name_is_shown_on_one_line_without_folders(uploads: Path, name: str, shown: str) -> None:
    job = jobs.submit(source=Source.objects.get(slug="zhihu"), files=[(name, io.BytesIO(b""))], by=None)
    upload = job.uploads.get()
    assert (upload.name, job.batch.name) == (shown, shown)
    assert [path.name for path in uploads.iterdir()] == [upload.stored_as.hex]


def test_rights_given_with_the_import_are_those_of_the_batch(gao: User) -> None:
    job = submitted(TEN, by=gao, licence="permission-granted", holder="弱智吧")
    rights = Rights.objects.get()
    assert (rights.batch, rights.licence, rights.holder, rights.by) == (job.batch, "permission-granted", "弱智吧", gao)
    assert Batch.objects.get().rights == rights


def test_holder_alone_leaves_the_licence_unknown() -> None:
    submitted(TEN, holder="某人")
    assert list(Rights.objects.values_list("licence", "holder")) == [("unknown", "某人")]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"licence": "mine"}, "no known licence"),
        ({"format": "docx"}, "no format"),
        ({"encoding": "klingon"}, "klingon"),
        ({"files": []}, "Give a file"),
    ],
)
def test_what_is_not_known_is_refused_before_anything_is_stored(
    uploads: Path, asked: dict[str, Any], sentence: str
) -> None:
    usual: dict[str, Any] = {"source": Source.objects.get(slug="zhihu"), "files": [("a", io.BytesIO(TEN))], "by": None}
    answer = refused(lambda: jobs.submit(**usual | asked))
    assert sentence in str(answer)
    assert answer.ground == Ground.INVALID
    assert not Job.objects.exists()
    assert not list(uploads.glob("*"))


def test_source_that_is_switched_off_takes_no_import() -> None:
    Source.objects.filter(slug="zhihu").update(is_active=False)
    assert refused(lambda: submitted(TEN, source="zhihu")).ground == Ground.INVALID


def test_only_managers_import_cancel_resume_and_retract(lin: User) -> None:
    job = imported(TEN)
    calls: list[Callable[[], object]] = [
        lambda: submitted(TEN, by=lin),
        lambda: jobs.cancel(job, by=lin),
        lambda: jobs.resume(job, by=lin),
        lambda: jobs.retract(job, by=lin),
    ]
    assert {refused(call).ground for call in calls} == {Ground.FORBIDDEN}


class FullDisk(io.BytesIO):
    """A stream during whose reading the disk fills up."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(ENOSPC, "No space left on device")
        return super().read(size)


def test_full_disk_leaves_nothing_behind(uploads: Path) -> None:
    files: list[tuple[str, BinaryIO]] = [("a", io.BytesIO(TEN)), ("b", FullDisk(TEN))]
    with pytest.raises(OSError, match="No space left"):
        jobs.submit(source=Source.objects.get(slug="zhihu"), files=files, by=None)
    assert (list(uploads.iterdir()), Job.objects.count(), Batch.objects.count()) == ([], 0, 0)


def test_workers_are_told_after_the_commit(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    told: list[int] = []
    monkeypatch.setattr(jobs, "send", told.append)
    with django_capture_on_commit_callbacks(execute=True):
        job = submitted(TEN, tell_workers=True)
        assert not told
    assert told == [job.pk]


def test_message_that_cannot_be_sent_fails_nobody(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def broken(_job: int) -> None:
        raise RuntimeError("no way to tell")

    monkeypatch.setattr(jobs, "send", broken)
    with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
        job = submitted(TEN, tell_workers=True)
    assert "no way to tell" in caplog.text
    assert fresh(job).state == Job.State.QUEUED


def test_job_is_cancelled_once() -> None:
    job = submitted(TEN)
    jobs.cancel(job, by=None)
    assert (job.state, job.finished_at is not None) == ("cancelled", True)
    assert pipeline.run(job.pk) == pipeline.Outcome.NOT_HELD
    assert "ended already" in str(refused(lambda: jobs.cancel(job, by=None)))


def test_cancelled_job_is_resumed(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> None:
    job = submitted(TEN)
    jobs.cancel(job, by=None)
    Job.objects.filter(pk=job.pk).update(fruitless_runs=3)
    with django_capture_on_commit_callbacks() as callbacks:
        jobs.resume(job, by=None)
    assert len(callbacks) == 1
    assert (job.state, job.finished_at, job.fruitless_runs) == ("queued", None, 0)
    pipeline.run(job.pk)
    assert counts(job) == {"read": 10, "new": 10}
    assert "done already" in str(refused(lambda: jobs.resume(job, by=None)))


def test_retracted_job_can_be_imported_again_but_not_resumed(gao: User) -> None:
    job = imported(TEN)
    retraction = jobs.retract(job, by=gao, reason="wrong source")
    assert (retraction.batch, retraction.by, retraction.reason) == (job.batch, gao, "wrong source")
    assert not Record.objects.live().exists()
    assert "taken back" in str(refused(lambda: jobs.resume(job, by=gao)))
    assert counts(imported(TEN)) == {"read": 10, "new": 10}


@pytest.mark.django_db(transaction=True)
def test_a_job_is_not_resumed_while_it_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    job = submitted(TEN)
    jobs.cancel(job, by=None)
    begun, retract = threading.Event(), jobs.retractions.retract

    def slowly(*args: Any, **said: Any) -> Retraction:
        begun.set()
        time.sleep(0.3)
        retraction: Retraction = retract(*args, **said)
        return retraction

    def take_back() -> None:
        try:
            jobs.retract(Job.objects.get(pk=job.pk), by=None)
        finally:
            connection.close()

    monkeypatch.setattr(jobs.retractions, "retract", slowly)
    other = threading.Thread(target=take_back)
    other.start()
    assert begun.wait(10)
    assert "taken back" in str(refused(lambda: jobs.resume(job, by=None)))
    other.join()
    assert fresh(job).state == Job.State.CANCELLED


def test_running_job_is_stopped_by_its_retraction() -> None:
    job = submitted(TEN)
    Job.objects.filter(pk=job.pk).take()
    jobs.retract(job, by=None)
    assert job.state == Job.State.CANCELLED


def test_paused_job_rests_until_it_is_resumed(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 3
    job = submitted(TEN)
    assert pipeline.run(job.pk, on_chunk=lambda _chunk: jobs.pause(job, by=gao)) == pipeline.Outcome.NOT_HELD
    assert (fresh(job).state, counts(job)) == (Job.State.PAUSED, {"read": 3, "new": 3})
    assert pipeline.run(job.pk) == pipeline.Outcome.NOT_HELD
    assert "paused" in str(refused(lambda: jobs.pause(job, by=gao)))
    jobs.resume(job, by=gao, tell_workers=False)
    pipeline.run(job.pk)
    assert (fresh(job).state, counts(job)) == (Job.State.DONE, {"read": 10, "new": 10})


def test_only_those_who_import_may_pause(lin: User) -> None:
    job = submitted(TEN)
    assert refused(lambda: jobs.pause(job, by=lin)).ground == Ground.FORBIDDEN
