"""Each named constraint of ingest, broken on purpose; and what a job says of itself."""

import io
from collections.abc import Callable
from uuid import UUID

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone, translation

from ingest import jobs
from ingest.models import Chunk, Job, Mapping, Part, Reject, Upload
from review.models import Batch
from tests.ingest.faulty_lines import good_lines, line
from tests.ingest.importing import imported, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def chunk(job: Job, **fields: object) -> Chunk:
    place = {"number": 1, "file": 1, "first_line": 1, "last_line": 2, "first_offset": 0, "end_offset": 9}
    return Chunk.objects.create(job=job, sha256=b"", **place | fields)


def upload(job: Job, **fields: object) -> Upload:
    return Upload.objects.create(
        job=job, **{"number": 2, "name": "b", "stored_as": UUID(int=7), "size": 1, "sha256": b""} | fields
    )


def part(job: Job, **fields: object) -> Part:
    places = {"after_file": 0, "after_offset": 0, "file": 1, "first_offset": 0, "lines_before": 0, "end_offset": 1}
    return Part.objects.create(job=job, fence=1, last_line=1, lease_until=timezone.now(), **places | fields)


BREACHES: dict[str, Callable[[Job], object]] = {
    "ingest_chunk_counts_not_negative": lambda job: chunk(job, new=-1, unchanged=2),
    "ingest_chunk_goes_forward": lambda job: chunk(job, end_offset=0),
    "ingest_chunk_once": lambda job: (chunk(job), chunk(job)),
    "ingest_job_failure_has_reason": lambda job: Job.objects.filter(pk=job.pk).end(Job.State.FAILED),
    "ingest_job_finished_has_time": lambda job: Job.objects.filter(pk=job.pk).update(state="done"),
    "ingest_job_lease_while_running": lambda job: Job.objects.filter(pk=job.pk).update(state="running"),
    "ingest_job_staged_once": lambda job: [
        jobs.submit(source=job.source, files=[("a", io.BytesIO())], by=None, staged_as=UUID(int=7)) for _ in "ab"
    ],
    "ingest_job_state_known": lambda job: Job.objects.filter(pk=job.pk).update(
        state="lost", finished_at=F("created_at")
    ),
    "ingest_mapping_name": lambda job: [Mapping.objects.create(source=job.source, name="m", spec={}) for _ in "ab"],
    "ingest_part_goes_forward": lambda job: part(job, end_offset=0),
    "ingest_part_once": lambda job: (part(job), part(job)),
    "ingest_reject_has_code": lambda job: Reject.objects.create(chunk=chunk(job), line=1, offset=0, code="", raw=b""),
    "ingest_upload_number": lambda job: upload(job, number=1),
    "ingest_upload_size_not_negative": lambda job: upload(job, size=-1),
}


@pytest.mark.parametrize("name", sorted(BREACHES))
def test_constraint_refuses_its_breach(name: str) -> None:
    job = submitted(b"")
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        BREACHES[name](job)


def test_every_constraint_of_ingest_is_broken_by_a_test() -> None:
    models = apps.get_app_config("ingest").get_models()
    assert {constraint.name for model in models for constraint in model._meta.constraints} == set(BREACHES)


def test_batch_belongs_to_one_job() -> None:
    job = submitted(b"")
    with pytest.raises(IntegrityError, match="batch_id"), transaction.atomic():
        Job.objects.create(source=job.source, batch=Batch.objects.get(pk=job.batch_id))


def test_read_is_the_sum_of_the_six_counts() -> None:
    made = chunk(submitted(b""), new=1, changed=2, unchanged=4, duplicate=8, dropped=16, rejected=32)
    assert Chunk.objects.get(pk=made.pk).read == 63


def test_error_is_told_in_the_language_in_use() -> None:
    job = imported("问和答，这是一个不知道的国家。\n".encode("gb18030"))
    assert (job.state, job.error_code) == ("failed", "not_utf8")
    with translation.override("en"):
        assert job.error.startswith("The file is not UTF-8")
    with translation.override("zh-hans"):
        assert job.error.startswith("文件不是 UTF-8")


def test_reject_is_explained_in_the_language_in_use() -> None:
    imported(good_lines(1)[0] + b"\n" + line({"instruction": 1, "output": ""}))
    reject = Reject.objects.get()
    with translation.override("en"):
        assert reject.message == "The field /instruction must be a string, and is a number. Correct its type."
    with translation.override("zh-hans"):
        assert reject.message.startswith("字段 /instruction")


def test_rows_name_themselves() -> None:
    job = imported(good_lines(1)[0] + b"\n[]")
    made = chunk(job, number=7)
    named = Mapping(name="m")
    reject = Reject.objects.get()
    assert [str(row) for row in (job.uploads.get(), made, named)] == ["a.jsonl", f"{job.pk}/7", "m"]
    assert (str(job), str(reject)) == (f"{job.pk}: {job.batch_id}", f"{reject.chunk_id}:2 not_an_object")
