"""Saying something about a record, for whoever works on it next."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from review import access, blind
from review.models import Comment, Record
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

LONGEST = 4000


@transaction.atomic
def add_comment(*, by: "User", record: Record, text: str) -> Comment:
    """Add a comment; refused when it says nothing or is longer than `LONGEST` characters."""
    access.check_review(by)
    access.check_source(by, record.source)
    problem = "" if text.strip() else _("Write something first.")
    if len(text) > LONGEST:
        problem = _("A comment has at most %(number)s characters.") % {"number": LONGEST}
    if problem:
        raise Refused(problem, ground=Ground.INVALID, fields={"text": problem})
    return Comment.objects.create(record=record, by=by, round=record.round, text=text.replace("\x00", ""))


def comments_for(by: "User", record: int) -> "QuerySet[Comment]":
    """Return what the person may read of the comments on a record, in their order.

    Before the outcome of a round they read of it what they wrote themselves, and so of what they hold as gold.
    """
    comments = Comment.objects.filter(record=record).select_related("by").order_by("pk")
    stands = Record.objects.only("state", "round").get(pk=record)  # a page may have been given it as the person sees it
    if blind.is_before_outcome(by, stands) or blind.gold_held(by, record) is not None:
        return comments.filter(Q(by=by) | Q(round__lt=stands.round))
    return comments
