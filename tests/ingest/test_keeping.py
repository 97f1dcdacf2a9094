"""Uploads take no more room than they may, and go again when nobody needs them."""

import os
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django.fixtures import Settings

from ingest import jobs, keeping, pipeline, staging, tasks
from ingest.models import Job
from review.models import Batch, Record, User
from review.models.clock import ClockTimestamp
from review.refused import Refused
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import imported, submitted
from tests.ingest.pages import FAULTY, signed_in, text

pytestmark = [pytest.mark.django_db]

TEN = b"\n".join(good_lines(10))


def test_files_beyond_the_quota_are_refused_and_leave_nothing(settings: Settings, uploads: Path) -> None:
    settings.INGEST_QUOTA_BYTES = 2 * len(TEN)
    submitted(TEN)
    with pytest.raises(Refused, match="no room"):
        submitted(TEN, TEN)
    assert (Job.objects.count(), Batch.objects.count()) == (1, 1)
    assert keeping.used() == len(TEN)
    submitted(TEN)
    settings.INGEST_QUOTA_BYTES = 0
    with pytest.raises(Refused, match="no room"):
        submitted(b"")


def test_disk_is_not_filled(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(10, 9, settings.INGEST_FREE_BYTES - 1))
    with pytest.raises(Refused, match="nearly full"):
        submitted(TEN)
    assert not Job.objects.exists()


def test_files_of_jobs_that_ended_long_ago_go_and_what_came_in_stays(settings: Settings, uploads: Path) -> None:
    settings.INGEST_KEEP_UPLOADS = timedelta(days=30)
    old, recent, running, failed = imported(TEN), imported(TEN), submitted(TEN), imported(b"\x89PNG\r\n\x1a\n")
    long_ago = ClockTimestamp() - timedelta(days=31)
    Job.objects.filter(pk__in=[old.pk, failed.pk]).update(finished_at=long_ago)
    Job.objects.filter(pk=running.pk).update(created_at=long_ago)
    assert keeping.tidy() == 2
    assert keeping.tidy() == 0
    kept = {job.pk: job.uploads.get().path.exists() for job in (old, recent, running, failed)}
    assert kept == {old.pk: False, recent.pk: True, running.pk: True, failed.pk: False}
    assert old.uploads.get().removed_at is not None
    assert Record.objects.count() == 10
    with pytest.raises(Refused, match="not kept any more"):
        jobs.resume(failed, by=None, tell_workers=False)
    assert pipeline.run(running.pk) == pipeline.Outcome.ENDED


def test_files_that_nobody_confirmed_go_after_a_day_though_nobody_sends_others(gao: User) -> None:
    old, young = (staging.stage([SimpleUploadedFile("a", TEN)], by=gao, said={}) for _time in range(2))
    os.utime(old.folder, (0, 0))
    tasks.tidy()
    assert (old.folder.exists(), young.folder.exists()) == (False, True)
    tasks.tidy()
    assert young.folder.exists()


def test_what_was_refused_goes_with_the_files_and_the_job_says_so(gao: User, uploads: Path) -> None:
    old, recent = imported(FAULTY), imported(FAULTY)
    Job.objects.filter(pk=old.pk).update(finished_at=ClockTimestamp() - timedelta(days=4000))
    assert old.rejects_path.exists()
    tasks.tidy()
    assert [job.folder.exists() for job in (old, recent)] == [False, True]
    assert keeping.used() == len(FAULTY) + recent.rejects_path.stat().st_size
    client = signed_in(gao)
    answer = client.get(f"/ingest/jobs/{old.pk}/rejects/")
    assert answer.status_code == 410
    assert "not kept any more" in text(answer)
    assert not old.folder.exists()
    assert b"not json" in b"".join(client.get(f"/ingest/jobs/{recent.pk}/rejects/"))


def test_files_that_belong_to_no_job_go_after_a_day(uploads: Path) -> None:
    job = submitted(TEN)
    young, old, foreign = uploads / ("a" * 32), uploads / ("b" * 32), uploads / "note.txt"
    for path in (young, old, foreign):
        path.write_bytes(b"x")
    for path in (old, foreign, job.uploads.get().path):
        os.utime(path, (0, 0))
    assert keeping.tidy() == 1
    assert (young.exists(), old.exists(), foreign.exists(), job.uploads.get().path.exists()) == (
        True,
        False,
        True,
        True,
    )
