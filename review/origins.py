"""Where records come from, in the words of their files: what a takedown by author or address looks through.

The search pass reads it behind intake (`review.text.origin`), for all wordings and all raw lines of a record. What the
pass has not reached yet is looked for in the lines themselves.
"""

import json
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models.expressions import RawSQL

from review.models import NO_COPYRIGHT_STATED, NO_METADATA, Origin, Original, Revision
from review.text import origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

AT_ONCE = 1_024
"""Records whose lines are held in memory together."""
_UNTOLD = {"", NO_METADATA, NO_COPYRIGHT_STATED}


def read(records: "Sequence[int]") -> None:
    """Keep what is said of where these records come from, instead of what was kept before."""
    for start in range(0, len(records), AT_ONCE):
        _read(records[start : start + AT_ONCE])


def _read(records: "Sequence[int]") -> None:
    meant = RawSQL("SELECT unnest(%s::bigint[])", [list(records)])
    texts: dict[int, list[str]] = {}
    said: dict[int, dict[str, None]] = {}
    wordings = Revision.objects.filter(record__in=meant)
    for pk, metadata, *wording in wordings.values_list("record", "metadata", "instruction", "input", "output"):
        texts.setdefault(pk, []).extend(wording)
        said.setdefault(pk, {})[metadata] = None
    lines = Original.objects.filter(record__in=meant)
    for pk, raw, claimed in lines.values_list("record", "raw", "claimed_copyright"):
        said[pk] |= dict.fromkeys([claimed or "", *origin.beside(bytes(raw), texts[pk])])
    _write({pk: [word for word in words if word not in _UNTOLD] for pk, words in said.items()})


def _write(said: "dict[int, list[str]]") -> None:
    forget(said)
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY review_origin (record_id, text) FROM STDIN") as copy,
    ):
        for pk, words in said.items():
            if words:
                copy.write_row((pk, "\n".join(words).lower()))


def telling(text: str, *, most: int) -> "Iterator[int]":
    """Yield the records, at most `most` of each kind, of whose origin the text is a part, in any case."""
    sql = "SELECT record_id FROM review_origin WHERE strpos(text, %s) > 0 LIMIT %s"
    yield from _found(sql, [text.lower(), most])
    yield from _unread(text, most)


def _unread(text: str, most: int) -> "Iterator[int]":
    """Look through the raw lines of what no pass has read; in JSON a slash may be escaped."""
    unread = "record_id IN (SELECT unnest(records) FROM review_unread WHERE task = 'search')"
    sql = f"SELECT DISTINCT record_id FROM review_revision WHERE {unread} AND strpos(metadata, %s) > 0 LIMIT %s"  # noqa: S608  a constant
    yield from _found(sql, [text, most])
    needles = sorted({text.encode(), text.replace("/", r"\/").encode(), json.dumps(text)[1:-1].encode()})
    holds = " OR ".join(["position(%s::bytea in raw) > 0"] * len(needles))
    claims = f"strpos(claimed_copyright, %s) > 0 OR {holds}"
    sql = f"SELECT DISTINCT record_id FROM review_original WHERE {unread} AND ({claims}) LIMIT %s"  # noqa: S608  constants
    yield from _found(sql, [text, *needles, most])


def _found(sql: str, parameters: "list[Any]") -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [record for (record,) in cursor.fetchall()]


def forget(records: "Collection[int]") -> None:
    """Erase what is kept of where these records come from."""
    Origin.objects.filter(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [list(records)])).delete()
