"""What workers do: ids in, one call."""

import mmap
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from ingest import keeping, pipeline, sweeper

TURN_SECONDS = 300.0
"""How long a job keeps its worker before others get their turn; far below the time limits."""

# Shared by the worker with the processes that it forks, who are not told of a shutdown otherwise.
_shutdown = mmap.mmap(-1, 1)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery has no types
def _say_so(**_signal: Any) -> None:
    _shutdown[0] = 1


@shared_task(name="ingest.tasks.run_job")  # type: ignore[untyped-decorator]
def run_job(job_id: int) -> None:
    """Do a job, or a good part of it."""
    others = settings.INGEST_WORKERS_PER_JOB - 1
    invite = partial(sweeper.invite, job_id, others) if others else None
    if pipeline.run(job_id, should_stop=_until_its_turn_is_over(), invite=invite) == pipeline.Outcome.INTERRUPTED:
        sweeper.send(job_id)


@shared_task(name="ingest.tasks.join_job")  # type: ignore[untyped-decorator]
def join_job(job_id: int) -> None:
    """Help the worker that does a job."""
    if pipeline.join(job_id, should_stop=_until_its_turn_is_over()) == pipeline.Outcome.INTERRUPTED:
        sweeper.send(job_id)


def _until_its_turn_is_over() -> Callable[[], bool]:
    end = time.monotonic() + TURN_SECONDS
    return lambda: bool(_shutdown[0]) or time.monotonic() > end


@shared_task(name="ingest.tasks.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Send again what was lost."""
    sweeper.sweep()


@shared_task(name="ingest.tasks.tidy")  # type: ignore[untyped-decorator]
def tidy() -> None:
    """Remove files that nobody needs any more."""
    keeping.tidy()
