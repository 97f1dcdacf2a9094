"""Doing a verb again that PostgreSQL broke off to end a deadlock: nothing of it had happened, so it is safe."""

import logging
import time
from collections.abc import Callable
from functools import wraps

from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

TRIES = 3
PAUSE_SECONDS = 0.05
logger = logging.getLogger(__name__)


def retried[**P, T](verb: Callable[P, T]) -> Callable[P, T]:
    """Let a verb that is one transaction begin anew, three times at most; within a larger one it is not for it to say.

    The last failure is raised: a page answers 503 then, and asks to try again.
    """

    @wraps(verb)
    def again(*args: P.args, **named: P.kwargs) -> T:
        for attempt in range(1, TRIES):
            try:
                return verb(*args, **named)
            except OperationalError as error:
                if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                    raise
                logger.warning("%s, try %s: deadlock", verb.__qualname__, attempt)
                time.sleep(PAUSE_SECONDS * attempt)  # so that who was in the way comes first
        return verb(*args, **named)

    return again
