"""Building later, elsewhere. A message carries the id only; delivered twice, lost or late, it does no harm."""

import logging
from contextlib import suppress

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from exports import build, portions, publishing, webhooks
from review.refused import Refused

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
MAX_OTHERS = 3
"""Workers that write parts of one release beside its builder."""
EXPIRES_SECONDS = 600
"""A message that nobody has taken by then is of no use."""


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def build_release(release_id: int) -> None:
    """Build the folder of a release."""
    try:
        build.build(release_id, tell=tell)
    except build.Busy:
        logger.info("release %s: duplicate delivery, another worker is at it", release_id)
    except Refused as refused:
        logger.warning("release %s: %s", release_id, refused)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def build_parts(release_id: int) -> None:
    """Write parts of a release beside its builder."""
    portions.help_out(release_id)


def tell(release_id: int, others: int) -> None:
    """Let other workers know that there are parts to write; the builder writes them all when nobody hears."""
    with suppress(BrokerError, OSError):
        for _other in range(min(others, MAX_OTHERS)):
            build_parts.apply_async([release_id], expires=EXPIRES_SECONDS, retry=False)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def tell_webhooks() -> None:
    """Notice what takedowns have done to releases, and send what waits to be sent."""
    publishing.watch()
    webhooks.deliver()


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_releases() -> None:
    """Send again what was cut and nobody builds; give up on what has stopped its builder again and again."""
    for release in build.abandoned():
        if release.attempts < MAX_ATTEMPTS:
            build_release.delay(release.pk)
        else:
            build.quarantine(release)
