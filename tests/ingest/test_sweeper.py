"""No job is forgotten, none is sent too often, none is tried for ever."""

from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.db.models import F

from ingest import sweeper
from ingest.models import MAX_FRUITLESS_RUNS, Job
from review.models.clock import ClockTimestamp
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import fresh, imported, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]

TEN = b"\n".join(good_lines(10))
LONG_AGO = ClockTimestamp() - timedelta(hours=1)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that workers were told of."""
    return taking(monkeypatch, answer=True)


def taking(monkeypatch: pytest.MonkeyPatch, *, answer: bool) -> list[int]:
    """Let messages end in a list, with this answer to whether they were sent."""
    jobs: list[int] = []

    def send(job: int) -> bool:
        jobs.append(job)
        return answer

    monkeypatch.setattr(sweeper, "send", send)
    return jobs


def forgotten() -> Job:
    """A queued job of whom nobody knows."""
    job = submitted(TEN)
    Job.objects.filter(pk=job.pk).update(dispatched_at=LONG_AGO)
    return job


def abandoned(fruitless_runs: int = 1) -> Job:
    """A job whose worker died."""
    job = forgotten()
    Job.objects.filter(pk=job.pk).take()
    Job.objects.filter(pk=job.pk).update(lease_until=LONG_AGO, fruitless_runs=fruitless_runs)
    return job


def test_forgotten_and_abandoned_jobs_are_sent_again(told: list[int]) -> None:
    waiting = [forgotten().pk, abandoned().pk]
    never_sent = submitted(TEN)
    Job.objects.filter(pk=never_sent.pk).update(dispatched_at=None)
    assert sweeper.sweep() == 3
    assert told == [*waiting, never_sent.pk]
    assert sweeper.sweep() == 0


def test_jobs_that_need_nobody_are_left_alone(told: list[int]) -> None:
    submitted(TEN)
    imported(TEN)
    running = forgotten()
    Job.objects.filter(pk=running.pk).take()
    assert (sweeper.sweep(), told) == (0, [])


def test_job_is_sent_once_in_a_while(told: list[int]) -> None:
    job = forgotten()
    sweeper.sweep()
    Job.objects.filter(pk=job.pk).update(dispatched_at=F("dispatched_at") - configured.INGEST_RESEND_AFTER)
    sweeper.sweep()
    assert told == [job.pk] * 2


def test_job_that_kills_its_workers_is_set_aside(told: list[int]) -> None:
    jobs = [abandoned(MAX_FRUITLESS_RUNS - 1), abandoned(MAX_FRUITLESS_RUNS), forgotten()]
    assert sweeper.sweep() == 2
    assert [fresh(job).state for job in jobs] == ["running", "quarantined", "queued"]
    assert fresh(jobs[1]).error_parameters == {"runs": 3, "file": "a.jsonl", "line": 0, "trouble": ""}
    assert "a.jsonl" in fresh(jobs[1]).error


def test_sweep_ends_when_the_broker_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = taking(monkeypatch, answer=False)
    first, _second = forgotten(), forgotten()
    assert sweeper.sweep() == 0
    assert asked == [first.pk]
