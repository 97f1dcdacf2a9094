"""Seeing to it that no job is forgotten, whatever became of the messages and of the workers."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerError

from ingest.models import Job
from review.models.clock import ClockTimestamp

logger = logging.getLogger(__name__)

MAX_SENT = 200
BROKER_SECONDS = 1


def invite(job_id: int, number: int) -> None:
    """Ask so many other workers to share a job; those that are busy come later, or in vain."""
    for _worker in range(number):
        send(job_id, task="ingest.tasks.join_job")


def send(job_id: int, *, task: str = "ingest.tasks.run_job") -> bool:
    """Tell the workers of a job; False when the broker does not take the message: a later sweep tells them."""
    options = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS, "max_retries": 0}
    # The worker's own limits hold: Celery would send along those of the process that asks.
    limits = {"time_limit": None, "soft_time_limit": None}
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_SECONDS, transport_options=options) as connection:
            current_app.send_task(task, args=[job_id], connection=connection, retry=False, **limits)
    except (BrokerError, KombuError, OSError) as error:
        logger.warning("Job %s waits: the broker cannot be reached (%s)", job_id, type(error).__name__)
        return False
    return True


def sweep() -> int:
    """Tell the workers of every job that waits too long or was abandoned; return how many were sent.

    What was tried often enough is set aside first. Two sweeps at the same time divide the jobs between them.
    """
    set_aside = Job.objects.set_aside_fruitless()
    if set_aside:
        logger.error("%s job(s) quarantined", set_aside)
    with transaction.atomic():
        overdue = Job.objects.overdue().select_for_update(skip_locked=True).order_by("pk")
        waiting = list(overdue.values_list("pk", flat=True)[:MAX_SENT])
        Job.objects.filter(pk__in=waiting).update(dispatched_at=ClockTimestamp())
    for position, job_id in enumerate(waiting):
        if not send(job_id):
            return position
    return len(waiting)
