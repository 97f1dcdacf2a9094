"""Answers that are kept for a while where they count many rows, and made again before anybody waits for them.

A worker makes the answers of the pages that were looked at anew twice a minute; no answer is older than a minute.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import Count

from review.views.figures import MANY

if TYPE_CHECKING:
    from django.db.models import QuerySet

KEPT_SECONDS = 60
SLOW_SECONDS = 0.05
"""What takes longer is kept as well, however little it found."""
LOOKED_KEY, LOOKED_SECONDS, MOST_LOOKED = "cqia:dashboard:looked", 3600, 8

_renewing: ContextVar[bool] = ContextVar("renewing", default=False)

type Rows = list[Any]
"""Each a list of its own, whose last item is a number."""
type Look = tuple[list[int], str, str]
"""What a page was about: the sources that its reader is limited to, the first and last day in the address."""


def remembered(question: str, ask: Callable[[], Iterable[Sequence[Any]]]) -> Rows:
    """Return rows that end in a number, at most `KEPT_SECONDS` old where they count many; plain JSON."""
    key = f"cqia:dashboard:{sha256(question.encode()).hexdigest()}"
    known: Rows | None = None if _renewing.get() else cache.get(key)
    if known is None:
        began = time.perf_counter()
        known = [list(row) for row in ask()]
        if sum(row[-1] for row in known) >= MANY or time.perf_counter() - began > SLOW_SECONDS:
            cache.set(key, known, KEPT_SECONDS)
    return known


def counted(rows: "QuerySet[Any, Any]") -> Rows:
    """Return the groups of a query, each ending in its number; remembered where there are many."""
    return remembered(str(rows.query), lambda: rows)


def numbers(rows: "QuerySet[Any]") -> dict[str, int]:
    """Return how many rows there are by `state`."""
    return dict(counted(rows.order_by().values_list("state").annotate(number=Count("pk"))))


@contextmanager
def renewing() -> Iterator[None]:
    """Have every answer made anew, and kept, while the block runs."""
    token = _renewing.set(True)
    try:
        yield
    finally:
        _renewing.reset(token)


def note_look(sources: Iterable[int], first: str, last: str) -> None:
    """Note that somebody looks at this page, so that its answers are made anew for an hour."""
    known = _known()
    known[_said((sorted(sources), first, last))] = time.time()
    latest = sorted(known.items(), key=lambda look: -look[1])[:MOST_LOOKED]
    cache.set(LOOKED_KEY, dict(latest), LOOKED_SECONDS)


def looks() -> list[Look]:
    """Return the pages that were looked at within the hour, and the one that every manager opens first."""
    since = time.time() - LOOKED_SECONDS
    found: list[Look] = [([], "", "")]
    for said, at in _known().items():
        sources, first, last = said.split("|")
        look: Look = ([int(source) for source in sources.split(",") if source], first, last)
        if at > since and look not in found:
            found.append(look)
    return found


def _known() -> dict[str, float]:
    return dict(cache.get(LOOKED_KEY) or {})


def _said(look: Look) -> str:
    sources, first, last = look
    return f"{','.join(map(str, sources))}|{first}|{last}"
