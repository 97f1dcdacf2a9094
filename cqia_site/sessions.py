"""Sessions in the database, looked up by a statement that is kept prepared: every request asks for one."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from review.prepared import Prepared

if TYPE_CHECKING:
    from django.contrib.sessions.base_session import AbstractBaseSession

_BY_KEY = Prepared(
    lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now),
    "key",
    datetime.max.replace(tzinfo=UTC),
)


class SessionStore(DatabaseStore):
    """Django's own, with its one look-up made anew."""

    def _get_session_from_db(self) -> "AbstractBaseSession | None":
        found = _BY_KEY.first(self.session_key, timezone.now())
        if found is None:
            self._session_key = None
        return found
