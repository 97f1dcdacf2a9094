"""The clock of the periodic tasks: any number of beats may run, and each task is still sent once a period."""

from celery.beat import PersistentScheduler, ScheduleEntry
from django.core.cache import cache
from kombu.messaging import Producer

SENT_KEY = "cqia:sent:"
SHARE_OF_PERIOD = 0.9
"""For how much of its period a task counts as sent: less than all of it, so that the next turn is never missed."""


class OnceScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """A beat that sends a task unless another beat has sent it in this period; when one dies, another goes on."""

    def apply_entry(self, entry: ScheduleEntry, producer: Producer | None = None) -> None:
        """Send a task that is due, or leave it to the beat that was here first."""
        period = entry.schedule.remaining_estimate(entry.default_now()).total_seconds()
        if cache.add(SENT_KEY + entry.name, 1, period * SHARE_OF_PERIOD):
            super().apply_entry(entry, producer)
