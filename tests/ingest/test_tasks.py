"""What workers do with the id of a job."""

from collections.abc import Iterator

import pytest
from celery import current_app
from celery.signals import worker_shutting_down

from ingest import sweeper, tasks
from ingest.models import Job
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import counts, fresh, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]

TEN = b"\n".join(good_lines(10))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    jobs: list[int] = []
    monkeypatch.setattr(sweeper, "send", jobs.append)
    return jobs


@pytest.fixture
def shutdown() -> Iterator[None]:
    """The worker has been told to stop."""
    worker_shutting_down.send(sender=None)
    yield
    tasks._shutdown[0] = 0


def test_tasks_are_known_by_the_names_that_messages_carry() -> None:
    assert {"ingest.tasks.run_job", "ingest.tasks.sweep"} <= set(current_app.tasks)
    scheduled = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert "ingest.tasks.sweep" in scheduled


def test_job_is_done_in_one_go(told: list[int]) -> None:
    job = submitted(TEN)
    tasks.run_job(job.pk)
    assert (fresh(job).state, counts(job), told) == ("done", {"read": 10, "new": 10}, [])


def test_job_that_does_not_exist_is_no_failure(told: list[int]) -> None:
    tasks.run_job(4711)
    assert told == []


def test_worker_that_stops_leaves_the_rest_to_the_next(told: list[int], shutdown: None) -> None:
    job = submitted(TEN)
    tasks.run_job(job.pk)
    assert (fresh(job).state, told) == (Job.State.QUEUED, [job.pk])


def test_job_gives_others_their_turn(told: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TURN_SECONDS", -1.0)
    job = submitted(TEN)
    tasks.run_job(job.pk)
    assert (fresh(job).state, told) == (Job.State.QUEUED, [job.pk])


def test_sweep_sends_what_waits(told: list[int]) -> None:
    job = submitted(TEN)
    Job.objects.filter(pk=job.pk).update(dispatched_at=None)
    tasks.sweep()
    assert told == [job.pk]
