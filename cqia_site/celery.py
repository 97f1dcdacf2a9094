"""The Celery application. Messages carry ids only: the rows in PostgreSQL are the truth."""

import os
import time
from typing import Any

from celery import Celery, Task
from celery.signals import task_success, worker_init, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cqia_site.settings")

app = Celery("cqia")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["exports"], related_name="checking")


NICENESS = 5


@worker_init.connect  # type: ignore[untyped-decorator]  # Celery has no types
def _let_pages_go_first(**_signal: Any) -> None:
    """Take what the pages leave of the processor: people wait for them, and for nothing that a worker does."""
    os.nice(NICENESS)


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery has no types
def _keep_tidy(**_signal: Any) -> None:
    """Tidy this machine's copies of shared files: in a process of the pool, for a thread does not outlive a fork."""
    from review import depot  # noqa: PLC0415  once the settings are read

    depot.keep_tidy()


RUN_KEY = "cqia:last-run:"
RUN_KEPT_SECONDS = 7 * 86400


@task_success.connect  # type: ignore[untyped-decorator]  # Celery has no types
def _note_run(sender: Task, **_signal: Any) -> None:
    """Keep when each periodic task last ran to its end: whoever watches the system asks."""
    from django.core.cache import cache  # noqa: PLC0415  once the settings are read

    if sender.name in {entry["task"] for entry in app.conf.beat_schedule.values()}:
        cache.set(RUN_KEY + sender.name, time.time(), RUN_KEPT_SECONDS)


def last_run(task: str) -> float | None:
    """Return when a periodic task last ran to its end, in seconds since the epoch; None when that is not known."""
    from django.core.cache import cache  # noqa: PLC0415  as above

    moment: float | None = cache.get(RUN_KEY + task)
    return moment
