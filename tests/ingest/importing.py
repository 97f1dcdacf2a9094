"""Jobs for tests, asked for and done like real ones."""

import io
from typing import Any

from ingest import jobs, pipeline
from ingest.models import COUNTS, Job
from review.models import Source


def submitted(*files: bytes, source: str = "ruozhiba", **asked: Any) -> Job:
    """A queued job over files of these contents, named a.jsonl, b.jsonl and so on."""
    named = [(f"{chr(97 + position)}.jsonl", io.BytesIO(content)) for position, content in enumerate(files)]
    return jobs.submit(
        source=Source.objects.get(slug=source), files=named, **{"by": None, "tell_workers": False} | asked
    )


def imported(*files: bytes, **asked: Any) -> Job:
    """The same, done."""
    job = submitted(*files, **asked)
    pipeline.run(job.pk)
    return fresh(job)


def fresh(job: Job) -> Job:
    """The job as the database has it, its counts annotated."""
    return Job.objects.with_counts().select_related("batch").get(pk=job.pk)


def counts(job: Job) -> dict[str, int]:
    """The counts that are not 0, `read` included; P1 is asserted on the way."""
    found = {name: int(getattr(fresh(job), name)) for name in ("read", *COUNTS)}
    assert found["read"] == sum(found[name] for name in COUNTS)
    return {name: count for name, count in found.items() if count}
