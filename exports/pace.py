"""Streams that a reader takes too slowly are cut: each holds a thread of the web server."""

from collections.abc import Iterable, Iterator
from time import monotonic

from django.conf import settings


class TooSlow(Exception):  # noqa: N818  what the reader is
    """The connection is cut; the reader asks anew for the rest, by `Range` or cursor, as after any broken transfer."""


def paced(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces as long as they are taken fast enough; a while of grace comes first.

    Counted is only the time for which the reader was waited for, never that which the pieces took to be made.
    """
    waited, taken = 0.0, 0
    for piece in pieces:
        given = monotonic()
        yield piece
        waited += monotonic() - given
        taken += len(piece)
        if waited > settings.STREAM_PATIENCE_SECONDS and taken < waited * settings.STREAM_SLOWEST_BYTES:
            message = f"the reader took {taken} bytes in {waited:.0f} seconds"
            raise TooSlow(message)
