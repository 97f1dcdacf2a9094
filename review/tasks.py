"""What workers do for people: ids or addresses in, fetch, one call."""

import time
from typing import TYPE_CHECKING

from celery import shared_task

from review import bulk, duplicates, erasure, links, proof, reflagging, sealing, search
from review.models import User

if TYPE_CHECKING:
    from collections.abc import Callable

TURN_SECONDS = 30.0
"""How long a pass keeps its worker; what is left is taken up at its next turn."""
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


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def index_texts() -> None:
    """Make what came in or was reworded ready to be searched."""
    _go_on(search.index_next)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def find_duplicates() -> None:
    """Look for near-duplicates of what came in or was reworded."""
    _go_on(duplicates.find_next)


def _go_on(step: "Callable[[], int]") -> None:
    end = time.monotonic() + TURN_SECONDS
    while step() and time.monotonic() < end:
        pass


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def tidy_indexes() -> None:
    """Lay together what many small changes have left behind."""
    search.tidy()
    duplicates.tidy()


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def erase_taken_down() -> None:
    """Erase what was taken down long enough ago."""
    erasure.erase_due()


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def run_bulk(action_id: int) -> None:
    """Do, or undo, to many records what a manager has confirmed."""
    bulk.run(action_id)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def set_flags_anew(reflagging_id: int) -> None:
    """Set the flags of a source anew."""
    reflagging.run(reflagging_id)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_bulk() -> None:
    """Go on with what was confirmed and then lost."""
    for action in bulk.unfinished():
        bulk.run(action)
    for going in reflagging.unfinished():
        reflagging.run(going)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prove() -> None:
    """Check that what is marked verified was verified."""
    proof.prove()
