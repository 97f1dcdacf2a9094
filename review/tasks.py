"""What workers do for people: ids or addresses in, fetch, one call."""

from celery import shared_task

from review import links, sealing
from review.models import User

_AGAIN = {"autoretry_for": (OSError,), "retry_backoff": 30, "max_retries": 5}  # when the mail server does not answer


@shared_task(**_AGAIN)  # type: ignore[untyped-decorator]  # Celery has no types
def mail_links(address: str, root: str) -> None:
    """Send a link for choosing a password to whoever has the address; nothing happens when nobody has."""
    for person in User.objects.filter(email__iexact=address, is_active=True):
        links.mail_link(person, root)


@shared_task(**_AGAIN)  # type: ignore[untyped-decorator]  # Celery has no types
def mail_link(person_id: int, root: str) -> None:
    """Send a person a link for choosing a password."""
    links.mail_link(User.objects.get(pk=person_id), root)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def seal_history() -> None:
    """Add what was committed since to the hash chain."""
    sealing.seal()
