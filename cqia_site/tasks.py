"""What a worker does for the site itself."""

from celery import shared_task

from cqia_site.dashboard import pages


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def renew_dashboard() -> None:
    """Make the figures of the dashboard anew before those that are kept are a minute old."""
    pages.renew()
