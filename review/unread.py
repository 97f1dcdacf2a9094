"""What the passes behind intake have yet to read, and taking the next of it in hand."""

from itertools import accumulate, chain
from typing import NamedTuple

from django.db import connection
from django.db.models import Sum

from review.models import Unread

_LOCKS = {Unread.Task.SEARCH: 7_274_001, Unread.Task.LIKENESS: 7_274_002}
"""The numbers of the advisory locks by which one pass of a kind runs at a time."""


class Taken(NamedTuple):
    """What a pass reads now: the ids of the records, in order, and the rows to delete once it has."""

    records: list[int]
    rows: list[int]

    def done(self) -> None:
        """Forget that these were unread; in the transaction that keeps what was made of them."""
        Unread.objects.filter(pk__in=self.rows).delete()


def note(records: list[int]) -> None:
    """Note new records as unread, in the transaction that brings them in."""
    if records:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO review_unread (task, records, number)"
                " SELECT task, records, %s FROM unnest(CAST(%s AS text[])) AS task, CAST(%s AS bigint[]) AS records",
                [len(records), Unread.Task.values, array(records)],
            )


def array(numbers: list[int]) -> str:
    """Return an array as PostgreSQL reads it; the driver would dump number by number, at many times the cost."""
    return f"{{{','.join(map(str, numbers))}}}"


def lag(task: Unread.Task) -> int:
    """Return how many records a pass has yet to read."""
    return Unread.objects.filter(task=task).aggregate(lag=Sum("number"))["lag"] or 0


def alone(task: Unread.Task) -> bool:
    """Tell whether this transaction is the only one that does the pass, from now to its end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCKS[task]])
        return bool(cursor.fetchone()[0])


def take(task: Unread.Task, most: int) -> Taken:
    """Return the records that a pass reads next: `most` of them, more only where they were noted together."""
    noted = list(Unread.objects.filter(task=task).order_by("pk").values_list("pk", "number")[:most])
    sums = accumulate(number for _pk, number in noted)
    rows = [
        pk for place, ((pk, _number), total) in enumerate(zip(noted, sums, strict=True)) if not place or total <= most
    ]
    records = Unread.objects.filter(pk__in=rows).values_list("records", flat=True)
    return Taken(sorted(set(chain.from_iterable(records))), rows)
