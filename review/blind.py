"""What a person may know of a record before its outcome.

Whoever gives one of several looks must not be able to tell that there are others, and whoever is given a gold record
must not be able to tell that it was decided. Every page that shows a record to reviewers asks here.
"""

from typing import TYPE_CHECKING, NamedTuple

from django.db.models import F, Q

from review import access
from review.models import Claim, Decision, Gold, Move, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from review.models import Record, Revision, Rights, User

AS_DECIDED = {
    Verdict.APPROVE: State.APPROVED,
    Verdict.REJECT: State.REJECTED,
    Verdict.ESCALATE: State.DISPUTED,
    Verdict.REWRITE: State.WAITING,
}


def as_seen_by(user: "User", record: "Record") -> "Record":
    """Return the record as the person may see it: the object is changed, never the row, and must not be saved.

    Whoever has given their look finds it decided as they said, in their own wording; whoever holds it as gold finds it
    waiting, in the wording that was decided on; whoever had no part in a dispute finds it waiting.
    """
    if record.state in {State.APPROVED, State.REJECTED}:
        gold = gold_held(user, record.pk)
        if gold is not None:
            record.state, record.revision = State.WAITING, gold.shown
    elif is_before_outcome(user, record):
        own = own_look(user, record)
        if own is None:
            record.state = state_shown(user, record.state)
        else:
            record.state, record.revision = AS_DECIDED[Verdict(own.verdict)], own.revision
            record.rights = own_rights(own) or record.rights
    return record


def own_rights(look: Decision) -> "Rights | None":
    """Return the rights that a look sets for its record once it is the outcome; None where it leaves them."""
    sets = {Decision.RightsSaid.SET, Decision.RightsSaid.OBJECT}
    return look.rights if look.verdict == Verdict.APPROVE and look.rights_said in sets else None


def state_shown(user: "User", state: str) -> State:
    """Return the state in which a person sees what they had no part in: that others differ is for settlers to know."""
    is_hidden = state == State.DISPUTED and not access.can_settle(user)
    return State.WAITING if is_hidden else State(state)


def states_behind(user: "User", shown: "Collection[str]") -> set[State]:
    """Return the states of the records that the person sees in one of these, where they had no part in them."""
    return {state for state in State if state_shown(user, state) in shown}


def is_before_outcome(user: "User", record: "Record") -> bool:
    """Tell whether others may have decided on the record, of which the person must not know yet."""
    return record.state == State.SECOND or (record.state == State.DISPUTED and not access.can_settle(user))


def seen_otherwise(user: "User") -> dict[int, State]:
    """Return the records that the person sees in another state than they are in, as `as_seen_by` shows them."""
    looks = _before_outcome(user).order_by("pk").values_list("record", "verdict")
    seen = {record: AS_DECIDED[Verdict(verdict)] for record, verdict in looks}
    golds = Claim.objects.filter(
        reviewer=user, purpose=Claim.Purpose.GOLD, record__state__in=[State.APPROVED, State.REJECTED]
    )
    return seen | dict.fromkeys(golds.values_list("record", flat=True), State.WAITING)


def _before_outcome(user: "User") -> "QuerySet[Decision]":
    """Return the person's looks at records whose outcome they must not know yet."""
    hidden = [State.SECOND] if access.can_settle(user) else [State.SECOND, State.DISPUTED]
    mine = Decision.objects.filter(reviewer=user, kind=Decision.Kind.REVIEW, withdrawal=None)
    return mine.filter(round=F("record__round"), record__state__in=hidden)


class Apart(NamedTuple):
    """A record that a person sees in another wording or under other rights than it has."""

    record: "Record"
    wording: "Revision"
    rights: "Rights | None"


def seen_apart(user: "User") -> list[Apart]:
    """Return the records that the person sees otherwise: worded by their look before the outcome, or held as gold."""
    said = [Decision.RightsSaid.SET, Decision.RightsSaid.OBJECT]
    of_record = ("record__batch__rights", "record__source__rights", "record__rights")
    looks = _before_outcome(user).filter(~Q(revision=F("record__revision")) | Q(rights_said__in=said))
    found = {
        look.record_id: Apart(look.record, look.revision, own_rights(look))
        for look in looks.select_related("revision", "rights", *of_record).order_by("pk")
    }
    held = Claim.objects.filter(reviewer=user, purpose=Claim.Purpose.GOLD).values("record")
    golds = Gold.objects.filter(record__in=held, retired_at=None).exclude(shown=F("record__revision"))
    return [*found.values(), *(Apart(g.record, g.shown, None) for g in golds.select_related("shown", *of_record))]


def looks_of(user: "User", records: "Collection[Record]") -> "dict[int, Decision]":
    """Return, by record, what the person decided on those whose outcome is not there yet."""
    before = [record.pk for record in records if is_before_outcome(user, record)]
    mine = Decision.objects.filter(
        record__in=before, round=F("record__round"), reviewer=user, kind=Decision.Kind.REVIEW, withdrawal=None
    )
    return {look.record_id: look for look in mine.select_related("revision", "rights").order_by("pk")}


def golds_of(user: "User", records: "Collection[Record]") -> "dict[int, Gold]":
    """Return, by record, the gold that the person has before them, not knowing it."""
    held = Claim.objects.filter(reviewer=user, purpose=Claim.Purpose.GOLD).values("record")
    golds = Gold.objects.select_related("shown").filter(record__in=held, retired_at=None)
    among = {record.pk for record in records}
    return {gold.record_id: gold for gold in golds if gold.record_id in among}


def own_look(user: "User", record: "Record") -> Decision | None:
    """Return what the person decided on the record in its present round."""
    mine = Decision.objects.filter(
        record=record, round=record.round, reviewer=user, kind=Decision.Kind.REVIEW, withdrawal=None
    )
    return mine.select_related("revision", "rights").order_by("-pk").first()


def gold_held(user: "User", record: int) -> Gold | None:
    """Return the gold record that the person has before them, not knowing it; also after the lease has ended."""
    held = Claim.objects.filter(record=record, reviewer=user, purpose=Claim.Purpose.GOLD)
    if not held.exists():
        return None
    return Gold.objects.select_related("shown", "decision__revision").filter(record=record, retired_at=None).first()


def decisions_shown(user: "User", record: "Record") -> "QuerySet[Decision]":
    """Return the decisions on a record that the person may see. Answers to gold and findings are nobody's to see here.

    Before the outcome of a round a person sees of it what they said themselves.
    """
    decisions = Decision.objects.filter(record=record, kind__in=[Decision.Kind.REVIEW, Decision.Kind.SETTLE])
    if gold_held(user, record.pk) is not None:
        return decisions.none()
    if is_before_outcome(user, record):
        return decisions.filter(~Q(round=record.round) | Q(reviewer=user))
    return decisions


def moves_shown(user: "User", record: "Record") -> "QuerySet[Move]":
    """Return the moves of a record that the person may see: before the outcome none of its present round."""
    moves = Move.objects.filter(record=record)
    if gold_held(user, record.pk) is not None:
        return moves.none()
    if is_before_outcome(user, record):
        return moves.filter(Q(round__lt=record.round) | Q(cause="send_back"))
    return moves
