"""Saying something about a record, for whoever works on it next."""

from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from review import access
from review.models import Comment, State
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import Record, User

LONGEST = 4000


@transaction.atomic
def add_comment(*, by: "User", record: "Record", text: str) -> Comment:
    """Add a comment; refused when it says nothing or is longer than `LONGEST` characters."""
    access.check_review(by)
    access.check_source(by, record.source)
    problem = "" if text.strip() else _("Write something first.")
    if len(text) > LONGEST:
        problem = _("A comment has at most %(number)s characters.") % {"number": LONGEST}
    if problem:
        raise Refused(problem, ground=Ground.INVALID, fields={"text": problem})
    return Comment.objects.create(record=record, by=by, round=record.round, text=text.replace("\x00", ""))


def sees_own_work_only(by: "User", record: "Record") -> bool:
    """Tell whether others' work on the record is hidden from the person: before the outcome of a doubled review."""
    is_settling = record.state == State.DISPUTED and access.can_settle(by)
    return record.wanted > 1 and record.state in _UNDECIDED and not is_settling and not access.can_manage(by)


_UNDECIDED = {State.UNANSWERED, State.WAITING, State.SECOND, State.DISPUTED}


def number_of(by: "User", record: "Record") -> int:
    """Return how many comments on the record the person may read: asked for each record that comes to lie there."""
    own_only = sees_own_work_only(by, record)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM review_comment WHERE record_id = %s AND (NOT %s OR by_id = %s OR round < %s)",
            [record.pk, own_only, by.pk, record.round],
        )
        return int(cursor.fetchone()[0])


def comments_for(by: "User", record: "Record") -> "QuerySet[Comment]":
    """Return what the person may read of the comments on a record, in their order."""
    comments = Comment.objects.filter(record=record).select_related("by").order_by("pk")
    if sees_own_work_only(by, record):
        return comments.filter(Q(by=by) | Q(round__lt=record.round))
    return comments
