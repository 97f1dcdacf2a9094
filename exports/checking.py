"""Verifying a release when somebody asks for it on a page: at once where it is small, else by a worker.

What was found is kept in the cache, for whoever looks at the release next; the nightly check and the command ask anew.
"""

import logging
import time
from typing import Any

from celery import shared_task
from django.core.cache import cache
from django.db.models import Sum
from kombu.exceptions import OperationalError as BrokerError

from exports import releases
from exports.models import Release

logger = logging.getLogger(__name__)

SMALL_BYTES = 32 * 1024 * 1024
KEPT_SECONDS = 30 * 24 * 3600
PROBLEMS_SHOWN = 20


def _key(release_id: int) -> str:
    return f"exports:verified:{release_id}"


def found(release: Release) -> dict[str, Any] | None:
    """Return what the last check found, None without one: `at`, and once it has ended `ok`, `records`, `problems`."""
    kept: dict[str, Any] | None = cache.get(_key(release.pk))
    return kept


def ask(release: Release) -> bool:
    """Verify a release, now or by a worker; return False when no worker can be told."""
    cache.set(_key(release.pk), {"at": time.time()}, KEPT_SECONDS)
    size = release.artifacts.aggregate(size=Sum("bytes"))["size"] or 0
    if size <= SMALL_BYTES:
        verify(release.pk)
        return True
    try:
        verify_later.delay(release.pk)
    except (BrokerError, OSError) as error:
        logger.warning("release %s: no worker can be told to verify it: %s", release.pk, error)
        cache.delete(_key(release.pk))
        return False
    return True


def verify(release_id: int) -> None:
    """Verify a release and keep what was found."""
    checked = releases.verify(Release.objects.get(pk=release_id))
    said = {
        "at": time.time(),
        "ok": not checked.problems,
        "records": checked.records,
        "problems": checked.problems[:PROBLEMS_SHOWN],
        "more": max(0, len(checked.problems) - PROBLEMS_SHOWN),
    }
    cache.set(_key(release_id), said, KEPT_SECONDS)


@shared_task(name="exports.checking.verify_later")  # type: ignore[untyped-decorator]  # Celery has no types
def verify_later(release_id: int) -> None:
    """Verify a release that is large."""
    verify(release_id)


@shared_task(name="exports.checking.verify_nightly")  # type: ignore[untyped-decorator]  # Celery has no types
def verify_nightly() -> None:
    """Have every release whose files are given out verified."""
    for release in Release.objects.available().order_by("pk"):
        ask(release)


def damaged() -> list[str]:
    """Return the names of the releases of which the last check found that they are not as they were written."""
    checks = ((release, found(release)) for release in Release.objects.available().order_by("pk"))
    return [release.name for release, check in checks if check and check.get("ok") is False]
