"""Whether there is somebody to do the jobs: asked of the workers themselves when a job has waited for a while."""

from datetime import timedelta
from enum import StrEnum, auto

from celery import current_app
from django.core.cache import cache
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from ingest.models import Job
from ingest.sweeper import BROKER_SECONDS
from review.models.clock import ClockTimestamp

PATIENCE = timedelta(seconds=3)
"""A job may wait as long before anybody wonders."""
ANSWER_SECONDS = 0.8
ASKED_ANEW_AFTER = 4
CACHE_KEY = "ingest:workers"


class Workers(StrEnum):
    """What is known of those that do the jobs."""

    READY = auto()
    BUSY = auto()
    """They do another job first."""
    ABSENT = auto()
    """None is running."""
    UNREACHABLE = auto()
    """The broker, through which they are told, does not answer."""


def expected_for(job: Job) -> Workers:
    """Tell by whom a job will be taken up; READY as long as there is no reason to wonder."""
    waits_too_long = Job.objects.filter(pk=job.pk, state=Job.State.QUEUED, created_at__lt=ClockTimestamp() - PATIENCE)
    return _state() if waits_too_long.exists() else Workers.READY


def for_those_waiting() -> Workers:
    """Tell the same of the job that waits longest."""
    first = Job.objects.filter(state=Job.State.QUEUED).order_by("created_at").first()
    return expected_for(first) if first else Workers.READY


def _state() -> Workers:
    if Job.objects.filter(state=Job.State.RUNNING, lease_until__gt=ClockTimestamp()).exists():
        return Workers.BUSY
    known = cache.get(CACHE_KEY)
    if known is None:
        known = _asked()
        cache.set(CACHE_KEY, known, ASKED_ANEW_AFTER)
    return Workers(known)


def _asked() -> Workers:
    options = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS, "max_retries": 0}
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_SECONDS, transport_options=options) as connection:
            answers = current_app.control.ping(timeout=ANSWER_SECONDS, limit=1, connection=connection)
    except (BrokerError, KombuError, RedisError, OSError):
        return Workers.UNREACHABLE
    return Workers.READY if answers else Workers.ABSENT
