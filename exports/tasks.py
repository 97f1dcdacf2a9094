"""Building later, elsewhere. A message carries the id only; delivered twice, lost or late, it does no harm."""

import logging

from celery import shared_task

from exports import build, publishing, webhooks
from review.refused import Refused

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def build_release(release_id: int) -> None:
    """Build the folder of a release."""
    try:
        build.build(release_id)
    except build.Busy:
        logger.info("release %s: duplicate delivery, another worker is at it", release_id)
    except Refused as refused:
        logger.warning("release %s: %s", release_id, refused)


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
