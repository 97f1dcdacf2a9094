"""The conditions and the range of a request for a file (RFC 9110)."""

import re

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Unsatisfiable(Exception):  # noqa: N818  what the range is
    """No such part, or more than one: the answer is 416."""


def part(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the number of bytes that a Range header asks for, None for the whole file.

    One range only: many are refused, as is one that is malformed or lies outside. Units other than bytes are ignored.
    """
    if not header or not header.strip().lower().startswith("bytes"):
        return None
    matched = _RANGE.fullmatch(header.strip().lower().replace(" ", ""))
    if matched is None:
        raise Unsatisfiable(header)
    first, last = matched.groups()
    if first:
        start, end = int(first), min(int(last or size - 1), size - 1)
    else:
        start, end = max(0, size - int(last or 0)), size - 1
    if start > end:
        raise Unsatisfiable(header)
    return start, end - start + 1


def names(header: str | None, etag: str, *, weakly: bool = False) -> bool:
    """Tell whether an If-Match, If-None-Match or If-Range header names this entity tag, or any (`*`).

    A weak tag (`W/`) counts only where the comparison is weak.
    """
    tags = [tag.strip() for tag in (header or "").split(",")]
    if weakly:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or etag in tags
