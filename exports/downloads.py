"""The history of what left: a row each time that data is given out."""

from typing import TYPE_CHECKING

from exports.models import Download

if TYPE_CHECKING:
    from exports.models import Release
    from review.models import User

MAX_QUERY = 500


def record_download(  # noqa: PLR0913  the columns of the row
    by: "User",
    path: str,
    size: int | None,
    *,
    door: Download.Door,
    release: "Release | None" = None,
    first_byte: int = 0,
    query: str = "",
) -> None:
    """Keep that somebody is given data; `size` is in bytes, None for a stream whose length nobody knows."""
    Download.objects.create(
        release=release, path=path, by=by, door=door, first_byte=first_byte, bytes=size, query=query[:MAX_QUERY]
    )
