"""What happened to a record, in one line of time: its wordings, decisions, rights, comments, and what moved it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from review import blind, evidence
from review.comments import comments_for
from review.models import Cause, Decision, Record, Revision, Rights

if TYPE_CHECKING:
    from datetime import datetime

    from review.models import User

type Kind = Literal["wording", "decision", "withdrawal", "rights", "comment", "move"]
_TOLD_BY_A_MOVE = {Cause.SEND_BACK, Cause.REIMPORT, Cause.TAKE_DOWN, Cause.RETRACT}
"""Every other cause of a move has a row of its own: a decision, a withdrawal, rights."""
_ORDER: tuple[Kind, ...] = ("wording", "rights", "decision", "withdrawal", "move", "comment")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `what` is its row; `before` is, for a wording, the one that it followed."""

    kind: Kind
    at: "datetime"
    by: "User | None"
    what: Any
    before: Revision | None = None


def events(record: int, *, by: "User") -> list[Event]:
    """Return what the person may know of the record's history, the oldest first.

    Before the outcome of a round that is their own work in it; of what they hold as gold, what stood before it.
    """
    stands, gold = Record.objects.select_related("revision").get(pk=record), blind.gold_held(by, record)
    is_blind = gold is not None or blind.is_before_outcome(by, stands)
    shown = blind.decisions_shown(by, stands).select_related("reviewer", "withdrawal__by", "guideline")
    decisions = list(shown)
    found = [*_wordings(stands, by if is_blind else None, (gold.shown if gold else stands.revision).number)]
    found += [*_decided(decisions), *_rights(record, {d.rights_id for d in decisions} if is_blind else None, by)]
    found += [Event("comment", comment.at, comment.by, comment) for comment in comments_for(by, record)]
    moves = blind.moves_shown(by, stands).filter(cause__in=_TOLD_BY_A_MOVE).select_related("by")
    found += [Event("move", move.at, move.by, move) for move in moves]
    return sorted(found, key=lambda event: (event.at, _ORDER.index(event.kind), event.what.pk))


def _wordings(record: Record, own_of: "User | None", last: int) -> list[Event]:
    """Return the wordings up to number `last`, and of later ones the person's own; all of them without a person."""
    revisions = list(Revision.objects.filter(record=record).select_related("author", "batch__by").order_by("number"))
    known = {revision.pk: revision for revision in revisions}
    written = Decision.objects.filter(record=record).values_list("revision_id", "seen_revision_id").order_by("-pk")
    seen = {revision: known.get(before) for revision, before in written if revision != before}
    events = []
    for place, revision in enumerate(revisions):
        author = revision.author or (revision.batch.by if revision.batch else None)
        before = seen.get(revision.pk) or (revisions[place - 1] if place else None)
        if own_of is None or revision.number <= last or revision.author_id == own_of.pk:
            events.append(Event("wording", revision.at, author, revision, before))
    return events


def _decided(decisions: list[Decision]) -> list[Event]:
    found = [Event("decision", decision.at, decision.reviewer, decision) for decision in decisions]
    taken_back = [decision.withdrawal for decision in decisions if hasattr(decision, "withdrawal")]
    return found + [Event("withdrawal", withdrawal.at, withdrawal.by, withdrawal) for withdrawal in taken_back]


def _rights(record: int, of_decisions: set[int | None] | None, by: "User") -> list[Event]:
    rows = Rights.objects.filter(record=record).select_related("by").prefetch_related(evidence.LISTED)
    visible = [row for row in rows if of_decisions is None or row.by_id == by.pk or row.pk in of_decisions]
    return [Event("rights", row.at, row.by, row) for row in visible]
